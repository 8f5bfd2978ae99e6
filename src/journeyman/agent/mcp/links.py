"""Connections to MCP servers: the standard streams of a command in a sandbox, or HTTP.

Knows nothing of what is said over them.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import cache
from typing import Any, Protocol

import anyio
import httpcore2
import httpx2
import mcp_types
from anyio.streams.memory import MemoryObjectSendStream
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import SessionMessage

from journeyman.agent.customisation.servers import SSE, ServerSpec
from journeyman.sandbox import Outside, Process, Sandbox, SandboxLost

MESSAGE_BYTES = 8 << 20
"""The longest message, which may be a picture."""
READ_BYTES = 1 << 16
MESSAGES = 5_000
"""So many may come for one that was sent; a server that says more is flooding."""
CONNECT_SECONDS = 30.0
SAID_CHARS = 300
UNREACHED = (
    "add it to the repository's custom_allowlist, or to the operator's firewall.mcp_allow, and "
    "firewall.allowed_networks where it is not public"
)

Incoming = SessionMessage | Exception
Streams = tuple[ReadStream[Incoming], WriteStream[SessionMessage]]


class Link(Protocol):
    """A way to one server, to be opened once."""

    def open(self) -> AbstractAsyncContextManager[Streams]: ...

    @property
    def said(self) -> str:
        """What may help who wonders why it does not work; empty when there is nothing."""
        ...


class Counted:
    """Another link, and a bound for what comes over it."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._left = MESSAGES
        self._flooded = False

    def asked(self) -> None:
        """Something was sent, so more may come."""
        self._left = MESSAGES

    @property
    def said(self) -> str:
        flood = f"it sent more than {MESSAGES} messages that nobody had asked for"
        return flood if self._flooded else self._link.said

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Streams]:
        into, out = anyio.create_memory_object_stream[Incoming](0)

        async def relay(incoming: ReadStream[Incoming]) -> None:
            async with into:
                async for message in incoming:
                    self._left -= 1
                    if self._left < 0:
                        self._flooded = True
                        return
                    await into.send(message)

        async with self._link.open() as (incoming, outgoing), anyio.create_task_group() as tasks:
            tasks.start_soon(relay, incoming)
            yield out, outgoing
            tasks.cancel_scope.cancel()
            out.close()


class Local:
    """A command in a sandbox, a message a line."""

    def __init__(self, box: Sandbox, spec: ServerSpec) -> None:
        self._box = box
        self._spec = spec
        self._process: Process | None = None
        self._noise = ""

    @property
    def said(self) -> str:
        errors = b"" if self._process is None else self._process.errors
        text = " ".join(errors.decode(errors="replace").split()) or self._noise
        return f"it said: {text[-SAID_CHARS:]}" if text else ""

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Streams]:
        command = [self._spec.command, *self._spec.args]
        self._process = process = await self._box.spawn(command, env=self._spec.env)
        try:
            into, incoming = anyio.create_memory_object_stream[Incoming](0)
            outgoing, out = anyio.create_memory_object_stream[SessionMessage](0)

            async def write() -> None:
                async with out:
                    async for one in out:
                        json = one.message.model_dump_json(by_alias=True, exclude_unset=True)
                        process.stdin.write(json.encode() + b"\n")
                        try:
                            await process.stdin.drain()
                        except ConnectionError:
                            return

            async with into, incoming, outgoing, out, anyio.create_task_group() as tasks:
                tasks.start_soon(self._read, process, into)
                tasks.start_soon(write)
                yield incoming, outgoing
                tasks.cancel_scope.cancel()
        finally:
            await process.kill()
            with suppress(SandboxLost):
                await process.wait()  # so that `said` knows why it could not be started

    async def _read(self, process: Process, into: MemoryObjectSendStream[Incoming]) -> None:
        """Messages, until the end or a line without one; what else is printed is left out."""
        unread = bytearray()
        async with into:
            while len(unread) <= MESSAGE_BYTES and (data := await _read(process)):
                unread += data
                if b"\n" not in data:
                    continue
                *lines, rest = bytes(unread).split(b"\n")
                unread = bytearray(rest)
                for line in filter(None, map(bytes.strip, lines)):
                    await into.send(self._message(line))
            if len(unread) > MESSAGE_BYTES:
                self._noise = f"a message of more than {MESSAGE_BYTES >> 20} MB"

    def _message(self, line: bytes) -> Incoming:
        try:
            return SessionMessage(mcp_types.jsonrpc_message_adapter.validate_json(line))
        except ValueError:
            self._noise = self._noise or line[:SAID_CHARS].decode(errors="replace")
            return ValueError("not a message")


async def _read(process: Process) -> bytes:
    try:
        return await process.stdout.read(READ_BYTES)
    except ConnectionError:  # one that was killed with something unread
        return b""


class Remote:
    """A server over HTTP, reached as *outside* lets it."""

    def __init__(self, outside: Outside, spec: ServerSpec) -> None:
        self._outside = outside
        self._spec = spec
        # How long an answer may take is the business of who waits for it.
        self._timeout = httpx2.Timeout(CONNECT_SECONDS, read=None)
        self._answered = ""

    @property
    def said(self) -> str:
        refused = next((f"{one.host} {one.reason}" for one in self._outside.blocked()), "")
        return f"the firewall says: {refused}; {UNREACHED}" if refused else self._answered

    def open(self) -> AbstractAsyncContextManager[Streams]:
        if self._spec.kind == SSE:
            return sse_client(self._spec.url, httpx_client_factory=self._client)
        return self._streamable()

    @asynccontextmanager
    async def _streamable(self) -> AsyncIterator[Streams]:
        async with (
            self._client() as client,
            streamable_http_client(
                self._spec.url, http_client=client, max_sse_event_size=MESSAGE_BYTES
            ) as streams,
        ):
            yield streams

    def _client(
        self,
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        """The SDK's wishes do not count: the configuration's headers, and our times."""
        return httpx2.AsyncClient(
            headers=dict(self._spec.headers),
            timeout=self._timeout,
            transport=_Transport(self._outside),
            trust_env=False,
            event_hooks={"response": [self._hear]},
        )

    async def _hear(self, response: httpx2.Response) -> None:
        if response.status_code >= 400:
            self._answered = f"it answered {response.status_code} {response.reason_phrase}".strip()


class _Transport(httpx2.AsyncBaseTransport):
    """Connections by way of *outside*, answers no longer than a message may be."""

    def __init__(self, outside: Outside) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_certificates(), network_backend=_Checked(outside)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        assert isinstance(request.stream, httpx2.AsyncByteStream)
        answer = await self._pool.handle_async_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        headers = httpx2.Headers(answer.headers)
        streamed = headers.get("content-type", "").startswith("text/event-stream")
        return httpx2.Response(
            answer.status,
            headers=headers,
            stream=_Body(answer, None if streamed else MESSAGE_BYTES),
            extensions=answer.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Checked(httpcore2.AsyncNetworkBackend):
    """Connects to what *outside* has looked at."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = OSError(f"{host} has no address")
        for address in await self._outside.addresses(host, port):
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _Body(httpx2.AsyncByteStream):
    def __init__(self, answer: httpcore2.Response, limit: int | None) -> None:
        self._answer = answer
        self._limit = limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for piece in self._answer.aiter_stream():
            read += len(piece)
            if self._limit is not None and read > self._limit:
                raise httpx2.StreamError(f"an answer of more than {self._limit >> 20} MB")
            yield piece

    async def aclose(self) -> None:
        await self._answer.aclose()


@cache
def _certificates() -> ssl.SSLContext:
    """The system's own."""
    return ssl.create_default_context()
