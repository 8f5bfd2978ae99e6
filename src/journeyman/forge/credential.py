"""A token for one git command: in its environment alone, for one place alone."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Way:
    """How git gets to a place by HTTP."""

    ca_file: str = ""
    """Certificates to trust there instead of the system's, in PEM."""
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`http_proxy`, `https_proxy`, `all_proxy`, `no_proxy`, as curl reads them."""


DIRECT = Way()


def for_git(
    secret: str, url: str, *, user: str = "x-access-token", way: Way = DIRECT
) -> Mapping[str, str]:
    """The environment that lets git authenticate to what is below *url*; what that sends on to
    another place gets nothing."""
    basic = base64.b64encode(f"{user}:{secret}".encode()).decode()
    place = f"http.{url.rstrip('/')}/"
    entries = {f"{place}.extraHeader": f"Authorization: Basic {basic}"} if secret else {}
    entries["http.followRedirects"] = "false"
    if way.ca_file:
        entries[f"{place}.sslCAInfo"] = way.ca_file
    counted = enumerate(entries.items())
    return {
        **way.proxies,
        "GIT_CONFIG_COUNT": str(len(entries)),
        **{
            f"GIT_CONFIG_{part}_{number}": text
            for number, entry in counted
            for part, text in zip(("KEY", "VALUE"), entry, strict=True)
        },
    }
