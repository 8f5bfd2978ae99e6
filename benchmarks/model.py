"""A model that answers at once, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from tests.peers.model_server import ModelServer, Say

NAME = "bench"


def environment(url: str) -> dict[str, str]:
    """For the server's environment, so that it has this model."""
    return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": url, "OPENAI_MODEL": NAME}


@contextlib.contextmanager
def instant(steps: int) -> Iterator[str]:
    """An OpenAI-compatible server in a thread that asks for one command after the other, *steps*
    of them; each is another, since a model that repeats itself is stopped."""
    ready, over = threading.Event(), threading.Event()
    addresses: list[str] = []

    def turn(number: int, _request: object) -> Say:
        if number < steps:
            return Say(calls=[("bash", {"command": f"true {number}"})])
        return Say("All steps are taken.")

    async def serve() -> None:
        async with ModelServer(turn) as server:
            addresses.append(server.base_url)
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.1)
                server.requests.clear()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield addresses[0]
    finally:
        over.set()
        thread.join()
