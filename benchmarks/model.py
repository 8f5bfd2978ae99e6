"""A model that answers at once, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator

from tests.peers.model_server import Json, ModelServer, Say

NAME = "bench"


def environment(url: str) -> dict[str, str]:
    """For the server's environment, so that it has this model."""
    return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": url, "OPENAI_MODEL": NAME}


@contextlib.contextmanager
def instant(steps: int) -> Iterator[str]:
    """The address of a `scripted` server."""
    with scripted(steps) as server:
        yield server.base_url


@contextlib.contextmanager
def scripted(steps: int, *, window_tokens: int | None = None) -> Iterator[ModelServer]:
    """An OpenAI-compatible server in a thread that asks for one command after the other, *steps*
    of them; each is another, since a model that repeats itself is stopped."""
    ready, over = threading.Event(), threading.Event()
    made = ModelServer(lambda _, request: _turn(steps, request), window_tokens=window_tokens)

    async def serve() -> None:
        async with made as server:
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.1)
                server.requests.clear()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield made
    finally:
        over.set()
        thread.join()


def _turn(steps: int, request: Json) -> Say:
    number = _taken(request)
    if number < steps:
        return Say(calls=[("bash", {"command": f"true {number}"})])
    return Say("All steps are taken.")


def _taken(request: Json) -> int:
    """The newest command says it, whatever of what came before was left out to save room."""
    for message in reversed(request["messages"]):
        for call in message.get("tool_calls") or ():
            command: str = json.loads(call["function"]["arguments"])["command"]
            return int(command.split()[-1]) + 1
    return 0
