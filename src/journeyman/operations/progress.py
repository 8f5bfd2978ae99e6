"""How far a long operation is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""What is done, how many of it are done, how many there are; called again and again."""


def silent(_what: str, _done: int, _all: int) -> None:
    pass


def counted(what: str, items: Sequence[T], progress: Progress) -> Iterator[T]:
    yield from counting(what, items, len(items), progress)


def counting(what: str, items: Iterable[T], total: int, progress: Progress) -> Iterator[T]:
    progress(what, 0, total)
    for number, item in enumerate(items, 1):
        yield item
        progress(what, number, total)
