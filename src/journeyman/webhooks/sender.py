"""Posting over HTTP, to an address that was looked at before it was connected to.

A receiver's name is resolved once, its addresses are checked, and the connection is made to one
that was: a name that leads elsewhere a moment later leads nowhere new. No redirect is followed, no
proxy used, and nothing of the answer is believed but its status.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from functools import cache
from typing import Any

import httpcore

from journeyman.domain.hooks import Request, Response

TIMEOUT_SECONDS = 10.0
"""For all of it, as GitHub has it."""
CONNECT_SECONDS = 4.0
"""For each address of a name."""
PAYLOAD_BYTES = 16_384
HEADER_CHARACTERS = 8_192
ATTEMPTS = 3
"""Addresses of one name that are tried."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as text. Raises OSError."""
Refusal = Callable[[str], str | None]
"""Why nothing may be sent to an address; None when it may."""
FAULTS = (
    OSError,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    UnicodeError,  # a host name that cannot be one
)


class Refused(Exception):
    """No connection may be made; the text says why."""


class HttpSender:
    def __init__(
        self,
        resolve: Resolve,
        refusal: Refusal,
        *,
        ca_file: str = "",
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """*ca_file*: authorities to trust beside the system's own, in PEM."""
        self._ca_file = ca_file
        self._network = _Checked(resolve, refusal)
        self._timeout_seconds = timeout_seconds

    async def send(self, request: Request) -> Response:
        """See Sender."""
        began = time.perf_counter()
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        try:
            response = await self._post(request, deadline)
        except TimeoutError:
            response = Response(None, f"timed out after {self._timeout_seconds:g} seconds")
        except Refused as refused:
            response = Response(None, f"not sent: {refused}")
        except FAULTS as error:
            response = Response(None, f"failed to connect: {_said(error)}")
        return _timed(response, time.perf_counter() - began)

    async def _post(self, request: Request, deadline: float) -> Response:
        certificates = None
        if request.url.startswith("https:"):
            certificates = await asyncio.to_thread(_certificates, request.verify, self._ca_file)
        pool = httpcore.AsyncConnectionPool(ssl_context=certificates, network_backend=self._network)
        async with pool, AsyncExitStack() as open_until_read:
            headers = [*request.headers.items(), ("Connection", "close")]
            answering = pool.stream("POST", request.url, headers=headers, content=request.body)
            async with asyncio.timeout_at(deadline):
                answer = await open_until_read.enter_async_context(answering)
            payload = await _beginning(answer, deadline)
        return Response(
            code=answer.status,
            status=_reason(answer),
            headers=_bounded(answer.headers),
            payload=payload.decode("utf-8", "replace"),
        )


class _Checked(httpcore.AsyncNetworkBackend):
    """Connects only where *refusal* has nothing against it."""

    def __init__(self, resolve: Resolve, refusal: Refusal) -> None:
        self._resolve = resolve
        self._refusal = refusal
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature of httpcore
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        found = await self._resolve(host, port)
        reasons = {address: self._refusal(address) for address in found}
        open_ones = [address for address, reason in reasons.items() if reason is None]
        if not open_ones:
            raise Refused(next(iter(reasons.values()), None) or f"{host} has no address")
        failure: Exception = OSError(host)
        for address in open_ones[:ATTEMPTS]:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout or CONNECT_SECONDS, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


async def _beginning(answer: httpcore.Response, deadline: float) -> bytes:
    """As much of the body as is kept, and as came in time: the status counts without it."""
    body = b""
    try:
        async with asyncio.timeout_at(deadline):
            async for chunk in answer.aiter_stream():
                body += chunk
                if len(body) >= PAYLOAD_BYTES:
                    break
    except (TimeoutError, *FAULTS):
        pass
    return body[:PAYLOAD_BYTES]


@cache
def _certificates(verify: bool, ca_file: str) -> ssl.SSLContext:
    """The system's own certificates, and those of *ca_file*."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _reason(answer: httpcore.Response) -> str:
    if 300 <= answer.status < 400:
        return "redirected, which is not followed"
    if answer.status < 300:
        return "OK"
    return f"Invalid HTTP Response: {answer.status}"


def _bounded(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    kept: dict[str, str] = {}
    room = HEADER_CHARACTERS
    for name, value in headers:
        room -= len(name) + len(value)
        if room < 0:
            break
        kept[name.decode("latin-1")] = value.decode("latin-1")
    return kept


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__


def _timed(response: Response, seconds: float) -> Response:
    return Response(response.code, response.status, response.headers, response.payload, seconds)
