"""What holds a process up: its listening socket, its server, and the signals that stop it.

Knows nothing of what is served.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from journeyman.domain.errors import AppError, Code

EXIT_AT_ONCE = 130
CLOSE_SECONDS = 3
"""How long open connections (live streams) may hold up a stop."""


def bind(host: str, port: int, hint: str) -> socket.socket:
    """A listening socket; UNAVAILABLE when the port is taken or the address is foreign."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        number = getattr(error, "errno", None) or 0
        if number <= 0 or number == errno.EADDRNOTAVAIL:  # below 0: the name has no address
            reason, hint = "no address of this machine", "Choose another host, such as 127.0.0.1."
        else:
            reason = os.strerror(number)
        raise AppError(
            Code.UNAVAILABLE, f"Cannot listen on {host}:{port}: {reason}. {hint}"
        ) from error
    # Inherited by every connection; asyncio would set it only where the protocol number is given,
    # and without it every answer on a kept connection waits for a delayed acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def shown(host: str) -> str:
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"[{host}]" if ":" in host else host


@asynccontextmanager
async def answering(app: ASGIApp, listening: socket.socket) -> AsyncIterator[asyncio.Task[None]]:
    """Serve *app* for as long as the context lasts; the task ends early when it cannot."""
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            timeout_graceful_shutdown=CLOSE_SECONDS,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield serving
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Leaves the signals to the process, which has more to stop than its sockets."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def stop_on_signal() -> tuple[asyncio.Event, asyncio.Event]:
    """Set by the first SIGTERM or SIGINT, and by the second; the third one ends the process."""
    events = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        unset = next((event for event in events if not event.is_set()), None)
        if unset is None:
            os._exit(EXIT_AT_ONCE)
        unset.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    return events


def keep() -> None:
    """What was made until now lives as long as the process: the garbage collector, which would
    look through it again and again and hold up requests for tens of milliseconds, leaves it out."""
    gc.collect()
    gc.freeze()
