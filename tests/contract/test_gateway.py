"""The gateway in front of each provider's wire format, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest

from journeyman.llm import Reply
from journeyman.llm.gateway import MOST_CONNECTIONS, Gateway
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


FUNCTION = {"type": "function", "name": "bash"}
SEARCH = {"type": "web_search_preview"}


@pytest.mark.parametrize(
    ("kind", "sent", "kept"),
    [
        ("openai", {"tools": [FUNCTION, SEARCH, {"type": "mcp"}, 1]}, {"tools": [FUNCTION]}),
        ("openai", {"tools": [SEARCH], "prompt": {"id": "p"}, "background": True}, {}),
        (
            "anthropic",
            {
                "tools": [{"name": "bash"}, {"type": "bash_20250124"}, {"type": "web_fetch_2025"}],
                "mcp_servers": [{"url": "https://evil.example"}],
            },
            {"tools": [{"name": "bash"}, {"type": "bash_20250124"}]},
        ),
        (
            "google",
            {"tools": [{"functionDeclarations": [], "googleSearch": {}}, {"urlContext": {}}]},
            {"tools": [{"functionDeclarations": []}]},
        ),
        ("openrouter", {"models": ["other"], "plugins": [{"id": "web"}], "seed": 1}, {"seed": 1}),
    ],
)
async def test_what_the_provider_would_do_by_itself_is_left_out(
    kind: str, sent: dict[str, Any], kept: dict[str, Any]
) -> None:
    usual = {"model": NAME, **FORMATS[kind][2]}
    async with ModelServer([Say("Hello.")]) as peer, opened(kind, peer) as gate:
        assert (await gate.post(path_of(kind, stream=False), usual | sent)).status_code == 200
        assert peer.requests == [usual | kept]


CALLED = {"type": "function", "function": {"name": "bash"}}
FETCH = {"name": "web_search", "type": "web_search_20250305"}


@pytest.mark.parametrize(
    ("kind", "tools", "choice", "stays"),
    [
        ("openai-compatible", [CALLED, SEARCH], CALLED, True),
        ("openai-compatible", [CALLED, SEARCH], "required", True),
        ("openai-compatible", [SEARCH], "auto", False),
        (
            "openai-compatible",
            [CALLED, SEARCH],
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [CALLED]}},
            True,
        ),
        ("openai", [FUNCTION, SEARCH], FUNCTION, True),
        ("openai", [FUNCTION, SEARCH], SEARCH, False),
        ("openai", [FUNCTION, {"type": "mcp"}], {"type": "mcp", "server_label": "x"}, False),
        ("openai", [FUNCTION, SEARCH], {"type": "allowed_tools", "tools": [SEARCH]}, False),
        ("openai", [FUNCTION], {"type": "function", "name": "missing"}, True),
        ("anthropic", [{"name": "bash"}, FETCH], {"type": "tool", "name": "bash"}, True),
        ("anthropic", [{"name": "bash"}, FETCH], {"type": "tool", "name": "web_search"}, False),
        ("anthropic", [{"name": "bash"}, FETCH], {"type": "any"}, True),
        ("anthropic", [FETCH], {"type": "any"}, False),
    ],
)
async def test_a_choice_of_a_tool_that_is_left_out_is_left_out(
    kind: str, tools: list[Any], choice: object, stays: bool
) -> None:
    body = {"model": NAME, **FORMATS[kind][2], "tools": tools, "tool_choice": choice}
    async with ModelServer([Say("Hello.")]) as peer, opened(kind, peer) as gate:
        assert (await gate.post(path_of(kind, stream=False), body)).status_code == 200
        (sent,) = peer.requests
    assert sent.get("tool_choice") == (choice if stays else None)


async def test_what_only_goes_with_tools_goes_with_them() -> None:
    config = {"functionCallingConfig": {"mode": "ANY"}}
    body = {"contents": [], "tools": [{"googleSearch": {}}], "toolConfig": config}
    async with ModelServer([Say("Hello.")]) as peer, opened("google", peer) as gate:
        assert (await gate.post(path_of("google", stream=False), body)).status_code == 200
        (sent,) = peer.requests
    assert (sent["contents"], "tools" in sent, "toolConfig" in sent) == ([], False, False)


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://evil.example/?data"}},
        {"type": "input_image", "image_url": " HTTPS://evil.example/?data"},
        {"type": "input_file", "file_url": "https://evil.example/?data"},
        {"type": "image", "source": {"type": "url", "url": "https://evil.example/?data"}},
        {"type": "computer_screenshot", "image_url": "https:evil.example/?data"},
        {"fileData": {"fileUri": "gs://evil/data"}},
        {"fileData": {"file_uri": "gs://evil/data"}},
        {"file_data": {"fileUri": "data:,", "file_uri": "gs://evil/data"}},
    ],
)
async def test_a_provider_is_made_to_fetch_nothing(part: dict[str, Any]) -> None:
    data = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    used = {"type": "tool_use", "input": {"url": "https://a.example"}}
    async with ModelServer([Say("Hello.")]) as peer, opened("openai", peer) as gate:
        for parts, status in (([part], 400), ([data, used], 200)):
            body = {"model": NAME, "input": [{"role": "user", "content": parts}]}
            assert (await gate.post("/responses", body)).status_code == status
        assert len(peer.requests) == 1


async def test_of_two_equal_keys_the_one_that_was_checked_is_sent() -> None:
    body = b'{"model": "gpt-5", "model": "%s", "messages": []}' % NAME.encode()
    async with ModelServer([Say("Hello.")]) as peer, opened("openai-compatible", peer) as gate:
        assert (await gate.client.post("/chat/completions", content=body)).status_code == 200
        assert json.dumps(peer.requests[0]).count("model") == 1


async def test_who_hangs_up_is_counted_all_the_same() -> None:
    body = {"model": NAME, "stream": True, "messages": []}
    said = Say("word " * 50)
    async with ModelServer([said], pieces=50, gap_seconds=0.005) as peer:
        async with opened("openai-compatible", peer) as gate:
            async with gate.client.stream("POST", "/chat/completions", json=body) as answered:
                await anext(answered.aiter_bytes())
            async with asyncio.timeout(5):
                while not gate.told:
                    await asyncio.sleep(0.01)
        assert gate.told[0].output_tokens == said.output_tokens


async def test_who_hangs_up_before_the_reply_is_counted_all_the_same() -> None:
    body = {"model": NAME, "stream": True, "messages": []}
    answers = ModelServer([Say("Hello.")], latency_seconds=0.2)
    async with answers as peer, opened("openai-compatible", peer) as gate:
        with pytest.raises(httpx.ReadTimeout):
            await gate.client.post("/chat/completions", json=body, timeout=0.1)
        async with asyncio.timeout(5):
            while not gate.told:
                await asyncio.sleep(0.01)


async def test_a_packed_request_goes_on_as_it_was_understood() -> None:
    body = gzip.compress(json.dumps({"model": NAME, "messages": []}).encode())
    packed = {"content-encoding": "gzip"}
    async with ModelServer([Say("Hello.")]) as peer, opened("openai-compatible", peer) as gate:
        answered = await gate.client.post("/chat/completions", content=body, headers=packed)
        assert answered.status_code == 200


async def test_connections_are_bounded() -> None:
    async with ModelServer([Say("Hello.")]) as peer, opened("openai-compatible", peer) as gate:
        at = str(gate.client.base_url.host), gate.client.base_url.port or 0
        idle = [await asyncio.open_connection(*at) for _ in range(MOST_CONNECTIONS)]
        with pytest.raises(httpx.TransportError):
            await gate.client.get("/")
        for _, writer in idle:
            writer.close()
            await writer.wait_closed()
        async with asyncio.timeout(5):
            while True:
                with suppress(httpx.TransportError):
                    assert (await gate.client.get("/")).status_code == 404
                    break


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
