"""What git's words about a remote mean.

Knows no forge by name; what it cannot tell is LOCAL or UNKNOWN.
"""

from __future__ import annotations

import re
from enum import Enum

from journeyman.git import GitError


class Fault(Enum):
    REJECTED = "rejected"
    """The remote took the connection and refused the ref."""
    TOO_LARGE = "too_large"
    DENIED = "denied"
    """The credential is missing, wrong, or not enough."""
    NOT_FOUND = "not_found"
    SHALLOW = "shallow"
    BAD_OBJECTS = "bad_objects"
    """An object that came over the wire failed git's checks."""
    BUSY = "busy"
    """Somebody else holds the ref's lock, or moved it meanwhile; trying again may help."""
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    """None of these; often the local repository is at fault."""


_SIGNS: tuple[tuple[Fault, str], ...] = (
    (Fault.TOO_LARGE, r"maximum allowed size|exceeds .*(file size|size) limit|HTTP 413|GH001"),
    (Fault.BUSY, r"cannot lock ref|failed to update ref|failed to lock|reference already exists"),
    (Fault.REJECTED, r"\[rejected\]|\[remote rejected\]|hook declined|protected branch"),
    (Fault.SHALLOW, r"shallow update not allowed|from a shallow repository"),
    (
        Fault.DENIED,
        r"Authentication failed|could not read (Username|Password)|HTTP 40[13]|error: 40[13]\b"
        r"|HTTP Basic: Access denied|Permission (to .* )?denied|publickey"
        r"|transport '.*' not allowed",
    ),
    (
        Fault.BAD_OBJECTS,
        r"fsck error|error in object|: (bad|missing)\w+: |index-pack (died|failed)",
    ),
    (
        Fault.NOT_FOUND,
        r"[Rr]epository .*not found|does not appear to be a git repository|error: 404\b|HTTP 404"
        r"|does not exist|not a git repository",
    ),
    (
        Fault.UNREACHABLE,
        r"Could not resolve|Failed to connect|Connection (refused|reset|timed out|closed)"
        r"|unable to access|hung up|early EOF|RPC failed|HTTP 5\d\d|error: (429|5\d\d)\b"
        r"|timed? out|was stopped|Network is unreachable|No route to host|Empty reply",
    ),
)
_COMPILED = tuple((fault, re.compile(pattern)) for fault, pattern in _SIGNS)


def fault_of(error: GitError) -> Fault:
    """The first that fits, the most telling first."""
    said = error.output or error.message
    return next((fault for fault, sign in _COMPILED if sign.search(said)), Fault.UNKNOWN)
