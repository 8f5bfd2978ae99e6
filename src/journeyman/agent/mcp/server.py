"""One MCP server of a session, from its start to its end: what it offers, and calls of it.

Everything that it does wrong is a ToolError or a Failed, with its own last words.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from mcp import MCPError
from mcp.client import Client
from mcp_types import CONNECTION_CLOSED, CallToolResult, Implementation
from mcp_types import Tool as Offered

from journeyman import __version__
from journeyman.agent.customisation.servers import ServerSpec
from journeyman.agent.mcp.links import Counted, Link
from journeyman.agent.text import clean
from journeyman.agent.tools import ToolError

MOST_PAGES = 20
"""Of its list of tools."""
END_SECONDS = 3.0
"""How long it may take to end in good order."""
WORDS_CHARS = 600


@dataclass(frozen=True)
class Patience:
    """How long a server may take."""

    start_seconds: float = 60.0
    """From its start to the list of its tools."""
    call_seconds: float = 300.0


class Failed(Exception):
    """The server could not be started; the text says why."""


@dataclass
class Server:
    spec: ServerSpec
    link: Link
    patience: Patience = Patience()
    offered: Sequence[Offered] = ()
    """Its tools, once it has started; all that its configuration gives."""
    _client: Client | None = field(default=None, init=False)
    _stop: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _living: asyncio.Task[None] | None = field(default=None, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    def __post_init__(self) -> None:
        self._counted = Counted(self.link)
        self.ended = ""
        """What to say of one that has gone by itself."""

    async def start(self) -> None:
        """Raises Failed; nothing is left of it then."""
        ready = asyncio.Event()
        self._living = living = asyncio.create_task(self._live(ready))
        waiting = asyncio.create_task(ready.wait())
        try:
            await asyncio.wait(
                {living, waiting},
                timeout=self.patience.start_seconds,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if ready.is_set():
                return
            error = living.exception() if living.done() else None
            said = _words(error) if error else f"no answer in {self.patience.start_seconds:g} s"
            living.cancel()
            await self.close()
            raise Failed(self._with_last_words(said))
        except asyncio.CancelledError:
            living.cancel()
            await self.close()
            raise
        finally:
            waiting.cancel()

    async def call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        """One after the other, as they are asked for. Raises ToolError."""
        async with self._turn:
            return await self._call(tool, arguments)

    async def close(self) -> None:
        """Never raises."""
        self._stop.set()
        if (living := self._living) is None:
            return
        await asyncio.wait({living}, timeout=END_SECONDS)
        living.cancel()
        await asyncio.wait({living}, timeout=END_SECONDS)
        if living.done() and not living.cancelled():
            living.exception()

    async def _live(self, ready: asyncio.Event) -> None:
        """A client must be left by the task that has entered it."""
        about = Implementation(name="journeyman", version=__version__)
        async with Client(self._counted.open(), client_info=about, cache=None) as client:
            self.offered = [tool async for tool in _tools(client) if self.spec.gives(tool.name)]
            self._client = client
            ready.set()
            await self._stop.wait()

    async def _call(self, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        name = self.spec.name
        if self._client is None or self.ended:
            raise ToolError(self.ended or f"The MCP server {name} was not started")
        self._counted.asked()
        try:
            async with asyncio.timeout(self.patience.call_seconds):
                return await self._client.call_tool(tool, arguments)
        except TimeoutError:
            seconds = self.patience.call_seconds
            raise ToolError(f"The MCP server {name} did not answer within {seconds:g} s.") from None
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                self.ended = self._with_last_words(f"The MCP server {name} has ended")
                raise ToolError(self.ended) from error
            raise ToolError(f"The MCP server {name} answered: {clean(str(error))}") from error

    def _with_last_words(self, said: str) -> str:
        last = clean(self._counted.said)
        return f"{said}; {last}" if last else said


async def _tools(client: Client) -> AsyncIterator[Offered]:
    cursor = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        for tool in page.tools:
            yield tool
        if (cursor := page.next_cursor) is None:
            return


def _words(error: BaseException) -> str:
    """The first cause of *error*, in one line."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    said = " ".join(str(error).split())[:WORDS_CHARS]
    return said or type(error).__name__
