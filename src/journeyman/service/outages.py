"""A forge that cannot be asked, as the error that a caller is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from journeyman.domain.errors import AppError, Code
from journeyman.forge import ForgeError


@contextmanager
def told() -> Iterator[None]:
    """UNAVAILABLE, in the forge's own words, for a ForgeError inside."""
    try:
        yield
    except ForgeError as error:
        raise AppError(Code.UNAVAILABLE, str(error)) from error
