"""A provider's own wire format for a program that has no key: requests go on with ours.

It is served at a socket, for one session. Only the provider's configured models are asked, only
what makes replies goes through, without what the provider would fetch or run by itself, and each
reply's tokens are told. Knows nothing of who asks, who may be hostile.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from pydantic_ai.messages import ModelResponse
from pydantic_ai.usage import RequestUsage

from journeyman.llm import OnReply, Reply, remote, translate
from journeyman.llm.provider import Options

if TYPE_CHECKING:
    from aiohttp import web

REQUEST_BYTES = 32 << 20
"""Of a request's body: long conversations with images."""
AT_ONCE = 8
"""Requests that are in memory; more wait."""
MOST_CONNECTIONS = 64
EVENT_BYTES = 4 << 20
"""Of one event in a stream that is looked at for usage."""
ADDRESS_CHARS = 200
CLOSE_SECONDS = 0.1
"""How long requests may go on when their session is over."""
OPENAI_URL = "https://api.openai.com/v1"
KEY_HEADERS = frozenset({"authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"})
HOP_HEADERS = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te",
     "upgrade", "keep-alive", "proxy-connection", "expect", "content-encoding"}
)  # fmt: skip
"""Of the connection, or the form of a body, which goes on unpacked."""
ANSWERED_HEADERS = ("content-type", "retry-after", "request-id", "x-request-id")


@dataclass(frozen=True)
class Format:
    """What differs from provider to provider."""

    base_url: str
    paths: re.Pattern[str]
    """What makes replies, or counts tokens; its group `model` where the name is in the path."""
    key: Callable[[str], tuple[str, str]]
    """The header that carries a key."""
    prices: str
    """The provider as the price list has it."""
    own: remote.OwnTool = remote.of_client


def _bearer(key: str) -> tuple[str, str]:
    return "authorization", f"Bearer {key}"


_OPENAI = re.compile(r"/(?:chat/completions|responses)")
FORMATS: Mapping[str, Format] = {
    "openai": Format(OPENAI_URL, _OPENAI, _bearer, "openai"),
    "openai-compatible": Format(OPENAI_URL, _OPENAI, _bearer, "openai"),
    "openrouter": Format("https://openrouter.ai/api/v1", _OPENAI, _bearer, "openrouter"),
    "anthropic": Format(
        "https://api.anthropic.com",
        re.compile(r"/v1/messages(?:/count_tokens)?"),
        lambda key: ("x-api-key", key),
        "anthropic",
    ),
    "google": Format(
        "https://generativelanguage.googleapis.com",
        re.compile(
            r"/v1(?:beta|alpha)?/models/(?P<model>[^/:]+):"
            r"(?:generateContent|streamGenerateContent|countTokens)"
        ),
        lambda key: ("x-goog-api-key", key),
        "google",
        remote.declared,
    ),
}
"""By the kind of a provider."""


class Gateway:
    """An Endpoint."""

    def __init__(self, kind: str, options: Options, model: str) -> None:
        """Raises ValueError where a kind of provider is not served so."""
        if kind not in FORMATS:
            there = ", ".join(FORMATS)
            raise ValueError(f"{options.name} is of the kind {kind}; it can be one of: {there}")
        self.model = model
        self._format = FORMATS[kind]
        self._options = options
        named = kind == "openai-compatible" and options.base_url not in (None, OPENAI_URL)
        self._prices = options.name if named else self._format.prices
        self._root = (options.base_url or self._format.base_url).rstrip("/")

    @asynccontextmanager
    async def serve(self, listening: socket.socket, told: OnReply) -> AsyncIterator[None]:
        """See Endpoint.serve."""
        from aiohttp import web  # noqa: PLC0415 - slow; most servers need none of it

        working = asyncio.Semaphore(AT_ONCE)
        timeout = httpx.Timeout(self._options.first_token_timeout_seconds, pool=None, connect=30.0)
        async with httpx.AsyncClient(timeout=timeout, follow_redirects=False) as client:

            async def answer(request: web.Request) -> web.StreamResponse:
                async with working:
                    return await self._answer(request, client, told)

            application = web.Application(client_max_size=REQUEST_BYTES)
            application.router.add_route("*", "/{path:.*}", answer)
            runner = web.AppRunner(
                application, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS
            )
            await runner.setup()
            serving = await asyncio.get_running_loop().create_server(
                lambda: _bounded(runner.server), sock=listening
            )
            try:
                yield
            finally:
                serving.close()
                await runner.cleanup()

    async def _answer(
        self, request: web.Request, client: httpx.AsyncClient, told: OnReply
    ) -> web.StreamResponse:
        from aiohttp import web  # noqa: PLC0415 - see serve

        path = self._format.paths.fullmatch(request.path)
        if path is None or request.method != "POST":
            return _refusal(404, f"{request.method} {request.path} is not served here.")
        try:
            body = json.loads(await request.read())
        except (ValueError, RecursionError):
            return _refusal(400, "The body is not JSON.")
        if not isinstance(body, dict):
            return _refusal(400, "The body is not a JSON object.")
        model = path.groupdict().get("model") or body.get("model")
        if model not in self._options.models:
            there = ", ".join(self._options.models)
            return _refusal(404, f"The model {model!r} is not configured; there is: {there}.")
        if (address := remote.fetched(body)) is not None:
            shown = address[:ADDRESS_CHARS]
            return _refusal(400, f"{shown!r} would be fetched by the provider; send the data.")
        body = remote.without(body, self._format.own)
        if request.path == "/chat/completions" and body.get("stream") is True:
            # Without it the tokens of a stream would not be told.
            options = body.get("stream_options")
            known = options if isinstance(options, dict) else {}
            body["stream_options"] = {**known, "include_usage": True}
        began = time.monotonic()
        sending = client.build_request(
            "POST",
            f"{self._root}{request.path}",
            params=[(k, v) for k, v in request.query.items() if k != "key"],
            headers=self._headers(request.headers),
            # As it was understood here: another reader may take another one of two equal keys.
            content=json.dumps(body).encode(),
        )
        try:
            answered = await client.send(sending, stream=True)
        except httpx.HTTPError as error:
            return _refusal(502, f"The provider cannot be reached: {type(error).__name__}.")
        stream = answered.headers.get("content-type", "").startswith("text/event-stream")
        meter = _Meter(self._prices, self._root, str(model), stream=stream)
        try:
            kept = {n: answered.headers[n] for n in ANSWERED_HEADERS if n in answered.headers}
            response = web.StreamResponse(status=answered.status_code, headers=kept)
            # To its end, whoever does not wait for it: what is said is paid for, and told last.
            with suppress(ConnectionError):
                await response.prepare(request)
            async for data in answered.aiter_bytes():
                meter.add(data)
                with suppress(ConnectionError):
                    await response.write(data)
        finally:
            await answered.aclose()
            if answered.status_code == 200 and (reply := meter.reply()) is not None:
                told(reply, time.monotonic() - began)
        with suppress(ConnectionError):
            await response.write_eof()
        return response

    def _headers(self, given: Mapping[str, str]) -> list[tuple[str, str]]:
        kept = [
            (name, value)
            for name, value in given.items()
            if name.lower() not in KEY_HEADERS | HOP_HEADERS
        ]
        key = [self._format.key(self._options.api_key)] if self._options.api_key else []
        return [*kept, *key, ("accept-encoding", "identity")]


class _Meter:
    """Reads the usage out of an answer that passes: of its JSON, or of the events of a stream."""

    def __init__(self, prices: str, url: str, model: str, *, stream: bool) -> None:
        self._prices = prices
        self._url = url
        self._model = model
        self._stream = stream
        self._unread = bytearray()
        self._usage: RequestUsage | None = None

    def add(self, data: bytes) -> None:
        self._unread += data
        if self._stream:
            *lines, rest = self._unread.split(b"\n")
            self._unread = rest
            for line in lines:
                if line.startswith(b"data:"):
                    self._look(bytes(line[5:]))
        if len(self._unread) > EVENT_BYTES:
            self._unread.clear()

    def reply(self) -> Reply | None:
        """What is known at the end; None: nothing."""
        self._look(bytes(self._unread))
        if self._usage is None:
            return None
        message = ModelResponse(
            parts=[],
            usage=self._usage,
            model_name=self._model,
            provider_name=self._prices,
            provider_url=self._url,
        )
        return translate.reply(message, self._model)

    def _look(self, text: bytes) -> None:
        if b"sage" not in text:  # usage, usageMetadata
            return
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            return
        for inner in ("response", "message"):  # as OpenAI and Anthropic put it into their events
            if isinstance(said, dict) and isinstance(said.get(inner), dict):
                said = said[inner]
        if isinstance(said, dict):
            self._count(said)

    def _count(self, said: dict[str, Any]) -> None:
        """Counts only grow; a provider repeats them, or tells them one after the other."""
        used = said.get("usage") or said.get("usageMetadata")
        if not isinstance(used, dict):
            return
        found = _read(used)
        if self._usage is None:
            self._usage = RequestUsage()
        for name, count in found.items():
            setattr(self._usage, name, max(getattr(self._usage, name), count))


def _read(used: Mapping[str, Any]) -> dict[str, int]:
    """Tokens, input with what was cached, as RequestUsage has them. The names tell the format."""
    if "promptTokenCount" in used:
        return {
            "input_tokens": _int(used, "promptTokenCount"),
            "output_tokens": _int(used, "candidatesTokenCount") + _int(used, "thoughtsTokenCount"),
            "cache_read_tokens": _int(used, "cachedContentTokenCount"),
        }
    if "prompt_tokens" in used:
        details = used.get("prompt_tokens_details") or {}
        return {
            "input_tokens": _int(used, "prompt_tokens"),
            "output_tokens": _int(used, "completion_tokens"),
            "cache_read_tokens": _int(details, "cached_tokens"),
        }
    details = used.get("input_tokens_details") or {}
    cached = _int(used, "cache_read_input_tokens")
    written = _int(used, "cache_creation_input_tokens")
    return {
        "input_tokens": _int(used, "input_tokens") + cached + written,
        "output_tokens": _int(used, "output_tokens"),
        "cache_read_tokens": cached or _int(details, "cached_tokens"),
        "cache_write_tokens": written,
    }


def _int(used: Mapping[str, Any], name: str) -> int:
    value = used.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _bounded(server: web.Server | None) -> asyncio.BaseProtocol:
    """For one more connection."""
    assert server is not None, "it was not set up"
    return server() if len(server.connections) < MOST_CONNECTIONS else _Full()


class _Full(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


def _refusal(status: int, message: str) -> web.Response:
    from aiohttp import web  # noqa: PLC0415 - see serve

    body = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    return web.json_response(body, status=status)
