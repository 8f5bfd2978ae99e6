"""What an address of a repository says of how git gets there."""

from __future__ import annotations

from urllib.parse import urlsplit


def protocol_of(address: str) -> str:
    """`file` for a path, `ssh` for `USER@HOST:PATH`, else the scheme."""
    if "://" in address:
        return urlsplit(address).scheme.lower()
    return "file" if address.startswith("/") else "ssh"
