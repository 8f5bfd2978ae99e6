"""The gateway in front of each provider's wire format, over real sockets."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from journeyman.llm import Reply
from journeyman.llm.gateway import Gateway
from journeyman.llm.provider import Options
from tests.peers.model_server import ModelServer, Say, Status

NAME = "gpt-5.4"
FORMATS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "openai-compatible": ("/v1", "/chat/completions", {"messages": []}, "Bearer the-key"),
    "openai": ("/v1", "/responses", {"input": []}, "Bearer the-key"),
    "openrouter": ("/v1", "/chat/completions", {"messages": []}, "Bearer the-key"),
    "anthropic": ("", "/v1/messages", {"messages": []}, "the-key"),
    "google": ("", "", {"contents": []}, "the-key"),
}


class Gate:
    """A gateway and what it has told."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.told: list[Reply] = []

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        return await self.client.post(path, json=body, headers=headers)


@asynccontextmanager
async def opened(kind: str, peer: ModelServer) -> AsyncIterator[Gate]:
    root = peer.base_url.removesuffix("/v1") + FORMATS[kind][0]
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    options = Options("anthropic" if kind == "anthropic" else "theirs", root, "the-key", (NAME,))
    async with httpx.AsyncClient(base_url=url) as client:
        gate = Gate(client)
        gateway = Gateway(kind, options, NAME)
        async with gateway.serve(listening, lambda reply, seconds: gate.told.append(reply)):
            yield gate


def path_of(kind: str, *, stream: bool) -> str:
    if kind != "google":
        return FORMATS[kind][1]
    return (
        f"/v1beta/models/{NAME}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"
    )


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("kind", FORMATS)
async def test_it_adds_the_key_and_counts(kind: str, stream: bool) -> None:
    said = Say("Hello there.", input_tokens=1000, output_tokens=100, cached_tokens=400)
    body: dict[str, Any] = {"model": NAME, "stream": stream, **FORMATS[kind][2]}
    async with ModelServer([said], pieces=1) as peer, opened(kind, peer) as gate:
        answered = await gate.post(
            path_of(kind, stream=stream),
            body,
            **{"Authorization": "Bearer guess", "x-api-key": "guess", "x-goog-api-key": "guess"},
        )
        assert answered.status_code == 200
        assert "Hello" in answered.text
        assert peer.keys == [FORMATS[kind][3]]
        (reply,) = gate.told
    assert (reply.input_tokens, reply.output_tokens, reply.cache_read_tokens) == (1000, 100, 400)
    assert reply.model == NAME
    # The price list's provider is asked, and an own server's prices are nobody's to know.
    assert (reply.cost_nano_credits is None) is (kind != "openai")


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/chat/completions", {"model": "gpt-5"}, 404, "'gpt-5' is not configured; there is: gpt"),
        ("/chat/completions", {}, 404, "None is not configured"),
        ("/chat/completions", [], 400, "not a JSON object"),
        ("/files", {"model": NAME}, 404, "POST /files is not served here"),
        ("/chat/completions/../files", {"model": NAME}, 404, "is not served here"),
        ("/v1/chat/completions", {"model": NAME}, 404, "is not served here"),
    ],
)
async def test_nothing_else_goes_through(path: str, body: object, status: int, said: str) -> None:
    async with ModelServer() as peer, opened("openai-compatible", peer) as gate:
        refused = await gate.post(path, body)
        assert refused.status_code == status
        assert said in refused.json()["error"]["message"]
        assert (await gate.client.get("/models")).status_code == 404
        assert (await gate.client.post("/chat/completions", content=b"\xff{")).status_code == 400
        assert (peer.requests, gate.told) == ([], [])


async def test_a_providers_refusal_is_passed_on() -> None:
    async with ModelServer() as peer, opened("openai-compatible", peer) as gate:
        peer.faults.append(Status(429, "slow down", {"retry-after": "7"}))
        refused = await gate.post("/chat/completions", {"model": NAME, "messages": []})
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "7")
        assert "slow down" in refused.text
        assert gate.told == []


async def test_a_provider_that_is_away_is_told() -> None:
    async with ModelServer() as peer:
        url = peer.base_url
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        gateway = Gateway("openai", Options("x", url, "the-key", (NAME,)), NAME)
        async with (
            gateway.serve(listening, lambda reply, seconds: None),
            httpx.AsyncClient(base_url=address) as client,
        ):
            away = await client.post("/responses", json={"model": NAME})
    assert away.status_code == 502
    assert "cannot be reached" in away.text
    assert "the-key" not in away.text


def test_requests_that_clients_sign_cannot_be_served() -> None:
    with pytest.raises(ValueError, match="of the kind bedrock; it can be one of: openai"):
        Gateway("bedrock", Options("aws"), NAME)
