"""The one error that a user may cause or must be told of. Knows nothing of HTTP, terminals or SQL.

Each surface (api, cli, web) maps the codes once; anything that is not an AppError is a bug and
shown as an internal error.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Code(Enum):
    BAD_REQUEST = "bad_request"
    INVALID = "invalid"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    GONE = "gone"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field. *code* is one of GitHub's: missing, missing_field, invalid,
    already_exists,
    unprocessable, custom; *message* names the value and the way out."""

    field: str
    code: str
    message: str


class AppError(Exception):
    """*message* names the value and the way out; *fields* lists what was wrong with the input."""

    def __init__(self, code: Code, message: str, fields: tuple[FieldError, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields


class DatabaseLost(AppError):
    """The database cannot be used now. What was being written is in it whole or not at all, and
    may be asked for again once it is back."""

    def __init__(self, why: str) -> None:
        super().__init__(Code.UNAVAILABLE, f"The database cannot be used now: {why}")


class Renamed(AppError):
    """What was asked for is there under another name, which *full_name* says."""

    def __init__(self, full_name: str) -> None:
        super().__init__(Code.NOT_FOUND, f"It is called {full_name} now.")
        self.full_name = full_name


def not_found(what: str) -> AppError:
    return AppError(Code.NOT_FOUND, what)


def invalid(field: str, message: str, code: str = "custom") -> AppError:
    """One wrong field of the input."""
    return AppError(Code.INVALID, message, (FieldError(field, code, message),))
