"""A peer in a thread of its own, for those who wait in the foreground."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

START_SECONDS = 20.0
T = TypeVar("T")


@contextmanager
def in_a_thread(peer: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """*peer* is entered, and left, on an event loop of its own; gives what entering it gives."""
    ready, over, entered = threading.Event(), threading.Event(), list[T]()

    async def serve() -> None:
        async with peer as made:
            entered.append(made)
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.1)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        if not ready.wait(START_SECONDS):
            raise RuntimeError(f"{peer!r} did not start")
        yield entered[0]
    finally:
        over.set()
        thread.join()
