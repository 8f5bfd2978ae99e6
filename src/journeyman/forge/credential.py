"""A token for one git command: in its environment alone, for one place alone."""

from __future__ import annotations

import base64
from collections.abc import Mapping


def for_git(
    secret: str, url: str, *, user: str = "x-access-token", ca_file: str = ""
) -> Mapping[str, str]:
    """The environment that lets git authenticate to what is below *url*; what that sends on to
    another place gets nothing."""
    basic = base64.b64encode(f"{user}:{secret}".encode()).decode()
    place = f"http.{url.rstrip('/')}/"
    entries = {f"{place}.extraHeader": f"Authorization: Basic {basic}"} if secret else {}
    entries["http.followRedirects"] = "false"
    if ca_file:
        entries[f"{place}.sslCAInfo"] = ca_file
    counted = enumerate(entries.items())
    return {
        "GIT_CONFIG_COUNT": str(len(entries)),
        **{
            f"GIT_CONFIG_{part}_{number}": text
            for number, entry in counted
            for part, text in zip(("KEY", "VALUE"), entry, strict=True)
        },
    }
