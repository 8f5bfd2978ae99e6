"""A peer in a thread of its own, for those who wait in the foreground."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager

START_SECONDS = 10.0


@contextmanager
def in_a_thread(peer: AbstractAsyncContextManager[object]) -> Iterator[None]:
    """*peer* is entered, and left, on an event loop of its own."""
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with peer:
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.1)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        if not ready.wait(START_SECONDS):
            raise RuntimeError(f"{peer!r} did not start")
        yield
    finally:
        over.set()
        thread.join()
