"""What a forge's remote allows, and what its refusals mean to the one who asked."""

from __future__ import annotations

import re

from journeyman.forge import CredentialRefused, ForgeError, ForgeRefused, PushRejected, Remote
from journeyman.git import GitError
from journeyman.git.addresses import protocol_of
from journeyman.git.faults import Fault, fault_of

_UNAUTHENTICATED = re.compile(r"Authentication failed|could not read (Username|Password)|\b401\b")
_FORBIDDEN = re.compile(r"Permission (to .* )?denied|\b403\b")
"""The credential is good and not enough."""
PROTOCOLS = frozenset({"https", "http", "ssh", "file"})


SAID_LINES = 8
"""Of the forge's own words."""
_ERROR = re.compile(r"\berror: |\bGH0\d\d\b")
_WAYS_OUT = {
    "GH006": "The branch is protected: name another as head_ref.",
    "GH008": "Files under Git LFS are pushed as their pointers only: upload the objects with "
    "`git lfs push --all`, or take the new pointers out of the work.",
    "GH013": "Name a head_ref that the rules leave free, or have whoever administers the "
    "repository change them or let the user bypass them.",
}
"""By GitHub's own numbers of its refusals."""


def protocol(remote: Remote) -> str:
    """The one protocol that git may use for *remote*."""
    scheme = protocol_of(remote.url)
    if scheme not in PROTOCOLS:
        raise ForgeError(f"The forge names a remote with the scheme {scheme!r}.", permanent=True)
    return scheme


def explained(error: GitError, done: str) -> ForgeError:
    """*error* as the caller's; *done* completes "the repository cannot be …"."""
    said = f"The repository cannot be {done}: {_telling(error)}"
    fault = fault_of(error)
    if fault is Fault.DENIED and _UNAUTHENTICATED.search(error.output or error.message):
        return CredentialRefused(f"{said} The token has expired or was revoked.")
    match fault:
        case Fault.REJECTED | Fault.TOO_LARGE:
            told = _telling(error)
            ways = [way for number, way in _WAYS_OUT.items() if number in error.output]
            said = " ".join([f"The forge refused the push: {told}", *ways])
            return PushRejected(said, permanent=True)
        case Fault.DENIED | Fault.NOT_FOUND:
            return ForgeRefused(said, forbidden=fault is Fault.DENIED)
        case Fault.BAD_OBJECTS | Fault.SHALLOW:
            return ForgeError(said, permanent=True)
        case _:
            return ForgeError(said)


def refused(error: GitError) -> ForgeError:
    """*error* of a push, as the caller's. Who could fetch and may not push has a good credential
    that is not enough."""
    told = explained(error, "pushed to")
    if isinstance(told, ForgeRefused) and _FORBIDDEN.search(str(told)):
        way_out = "Use a token that may write the repository's contents."
        return PushRejected(f"{told} {way_out}", permanent=True)
    return told


def _telling(error: GitError) -> str:
    """The lines that say why: the forge's own words and the refused ref, else git's last line."""
    lines = error.output.splitlines()
    refused = [line.partition("[")[2] for line in lines if line.startswith("!") and "[" in line]
    words = [line.removeprefix("remote:").strip() for line in lines if line.startswith("remote:")]
    telling = [f"[{line}" for line in refused] + _said([word for word in words if word])
    return "; ".join(telling)[:1000] or error.message


def _said(lines: list[str]) -> list[str]:
    """From the first that calls itself an error; else the last."""
    first = next((at for at, line in enumerate(lines) if _ERROR.search(line)), None)
    return lines[-5:] if first is None else lines[first : first + SAID_LINES]
