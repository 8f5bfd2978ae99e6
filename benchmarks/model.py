"""A model that answers at once, over real HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.peers.in_a_thread import in_a_thread
from tests.peers.model_server import ModelServer, Say

NAME = "bench"


def environment(url: str) -> dict[str, str]:
    """For the server's environment, so that it has this model."""
    return {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": url, "OPENAI_MODEL": NAME}


@contextmanager
def instant(steps: int) -> Iterator[str]:
    """An OpenAI-compatible server that asks for one command after the other, *steps* of them; each
    is another, since a model that repeats itself is stopped."""

    def turn(number: int, _request: object) -> Say:
        if number < steps:
            return Say(calls=[("bash", {"command": f"true {number}"})])
        return Say("All steps are taken.")

    server = ModelServer(turn, remembers=False)
    with in_a_thread(server):
        yield server.base_url
