"""A forge that cannot be asked, or that will not, as the error that a caller is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from journeyman.domain.errors import AppError, Code
from journeyman.forge import CredentialRefused, ForgeError, ForgeRefused


@contextmanager
def told() -> Iterator[None]:
    """For a ForgeError inside, in the forge's own words: UNAUTHENTICATED for a token that it does
    not take any more, FORBIDDEN or CONFLICT for what it will not do, else UNAVAILABLE."""
    try:
        yield
    except CredentialRefused as error:
        raise AppError(Code.UNAUTHENTICATED, "Bad credentials") from error
    except ForgeRefused as error:
        code = Code.FORBIDDEN if error.forbidden else Code.CONFLICT
        raise AppError(code, str(error)) from error
    except ForgeError as error:
        raise AppError(Code.UNAVAILABLE, str(error)) from error


def may_pass(error: AppError | ForgeError) -> bool:
    """Whether what failed for Journeyman's own user may be well later: the forge is there again,
    the server's token or address is mended."""
    if isinstance(error, AppError):
        return error.code is Code.UNAVAILABLE
    return not isinstance(error, ForgeRefused)
