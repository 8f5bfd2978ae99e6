"""Which forge the tasks' repositories are on, and what is told about it by its address alone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from journeyman.domain.errors import AppError, invalid

EMBEDDED = "embedded"
KNOWN = {
    "github.com": "github",
    "gitea.com": "gitea",
    "codeberg.org": "gitea",
}
"""Hosts whose software everybody knows."""

Kind = Literal["auto", "embedded", "github", "gitea"]


@dataclass(frozen=True)
class Forge:
    url: str = EMBEDDED
    """`embedded`, or where people look at it: https://github.com."""
    kind: Kind = "auto"
    """What speaks there; must be said for a host of one's own."""
    ca_file: str = ""
    """Certificates to trust, in PEM, for a forge whose own are not from a public authority."""
    client_id: str = ""
    """Of the OAuth app or GitHub App that logs people in to the dashboard; empty: with tokens."""
    client_secret: str = field(default="", repr=False)


def resolved(forge: Forge) -> Forge:
    """*forge* with its kind known and no slash at the end of its address. INVALID says which
    key is wrong, and why."""
    url = forge.url.strip().rstrip("/")
    kind = _kind(url) if forge.kind == "auto" else forge.kind
    if (kind == EMBEDDED) != (url == EMBEDDED):
        raise _wrong("kind", f"{forge.kind!r} does not go with forge.url = {url!r}")
    if kind in ("github", "gitea"):
        _check_address(url)
    if forge.ca_file and not Path(forge.ca_file).is_file():
        raise _wrong("ca_file", f"{forge.ca_file!r} is no file")
    if bool(forge.client_id) != bool(forge.client_secret):
        missing = "client_secret" if forge.client_id else "client_id"
        raise _wrong(missing, "client_id and client_secret go together; one is not set")
    if forge.client_id and kind != "github":
        raise _wrong("client_id", f"people cannot log in by an app of a {kind} forge")
    return replace(forge, url=url, kind=kind)


def _kind(url: str) -> Kind:
    if url == EMBEDDED:
        return "embedded"
    host = (urlsplit(url).hostname or "").removeprefix("www.")
    if host.endswith(".ghe.com"):
        return "github"
    if found := KNOWN.get(host):
        return found  # type: ignore[return-value]
    raise _wrong(
        "kind",
        f"what runs at {url!r} cannot be known from its address: set forge.kind to github "
        "(GitHub Enterprise Server) or gitea (Gitea, Forgejo); a repository on another git server "
        "is added to the built-in forge: journeyman repo add OWNER/NAME URL --upstream",
    )


def _wrong(key: str, said: str) -> AppError:
    return invalid(f"forge.{key}", f"forge.{key}: {said}.", "invalid")


def _check_address(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise _wrong("url", f"{url!r} is no address; it looks like https://github.com")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _wrong("url", f"{re.sub('//.*@', '//…@', url)!r}: leave out all but the host")
