"""A forge that cannot be asked, as the error that a caller is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from journeyman.domain.errors import AppError, Code
from journeyman.forge import CredentialRefused, ForgeError


@contextmanager
def told() -> Iterator[None]:
    """UNAVAILABLE, in the forge's own words, for a ForgeError inside; UNAUTHENTICATED for a token
    that it does not take any more."""
    try:
        yield
    except CredentialRefused as error:
        raise AppError(Code.UNAUTHENTICATED, "Bad credentials") from error
    except ForgeError as error:
        raise AppError(Code.UNAVAILABLE, str(error)) from error
