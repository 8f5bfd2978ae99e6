"""The wire to an ACP agent: what it says, in order, and what we ask of it.

JSON-RPC is the library's; lines are read here, because those of a hostile program may have no end.
Knows nothing of the log.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from journeyman.agent.customisation.servers import LOCAL, ServerSpec
from journeyman.sandbox import Process

if TYPE_CHECKING:
    from acp.connection import Connection

LINE_BYTES = 16 << 20
"""An image may be in it."""
BEHIND = 256
"""Updates that may wait to be taken; then the agent waits."""
AT_ONCE = 16
"""Requests of the agent without an answer; then it waits."""
START_SECONDS = 120.0
"""For each of the requests before the first prompt: some look for news on the network."""
GONE_SECONDS = 1.0
"""How long the end of a program that hangs up is awaited."""
PROTOCOL_VERSION = 1

Json = dict[str, Any]
Answer = Callable[[str, Json], Awaitable[Json]]


class AgentError(Exception):
    """The agent answered a request with an error; the text is its own."""


class AgentLost(Exception):
    """The agent is gone, or does not speak the protocol."""


class Agent:
    """A started agent with one session. `updates` gets the params of `session/update`."""

    def __init__(self, process: Process, answer: Answer) -> None:
        """*answer*: to a request of the agent, by method. Raises LookupError for others."""
        self._process = process
        self._answer = answer
        self._connection: Connection | None = None
        self.session = ""
        """What it calls its session; empty until there is one: what it tells before is of the past,
        and known."""
        self.loaded = False
        """Whether it remembers what it has done in an earlier life."""
        self.left_out: Sequence[ServerSpec] = ()
        """MCP servers of a transport that it does not know."""
        self._answering = asyncio.Semaphore(AT_ONCE)
        self.takes_images = False
        self.updates: asyncio.Queue[Any] = asyncio.Queue(BEHIND)

    async def start(
        self, cwd: str, mode: str = "", servers: Sequence[ServerSpec] = (), former: str = ""
    ) -> None:
        """Until it can be given a prompt. Raises AgentError, AgentLost.

        *servers*: for it to start, or to ask. *former*: a session to go on with, if it can.
        https://agentclientprotocol.com/protocol/session-setup
        """
        # Slow, and most servers need none of it.
        from acp.connection import Connection  # noqa: PLC0415

        self._connection = Connection(self._heard, _Lines(self._process, self._taken))
        about = {"name": "journeyman", "title": "Journeyman", "version": "1"}
        can = {"fs": {"readTextFile": False, "writeTextFile": False}, "terminal": False}
        greeting = {
            "protocolVersion": PROTOCOL_VERSION,
            "clientCapabilities": {**can, "elicitation": {"form": {}}},
            "clientInfo": about,
        }
        said = await self._soon("initialize", greeting)
        if said.get("protocolVersion") != PROTOCOL_VERSION:
            raise AgentLost(f"it speaks version {said.get('protocolVersion')!r} of the protocol")
        able = _object(said.get("agentCapabilities"))
        self.takes_images = _object(able.get("promptCapabilities")).get("image") is True
        known = {LOCAL, *(k for k, v in _object(able.get("mcpCapabilities")).items() if v is True)}
        self.left_out = [one for one in servers if one.kind not in known]
        taken = [_told(one) for one in servers if one.kind in known]
        where: Json = {"cwd": cwd, "mcpServers": taken}
        if former and able.get("loadSession") is True:
            self.loaded = await self._load({**where, "sessionId": former})
        made = {} if self.loaded else await self._soon("session/new", where)
        self.session = former if self.loaded else str(made.get("sessionId", ""))
        if mode:
            await self._soon("session/set_mode", {"sessionId": self.session, "modeId": mode})

    async def _load(self, session: Json) -> bool:
        try:
            await self._soon("session/load", session)
        except AgentError:
            return False  # it began on another machine, or was not kept
        return True

    async def prompt(self, blocks: list[Json]) -> Json:
        """One prompt to its end. Raises AgentError, AgentLost."""
        return await self._request("session/prompt", {"sessionId": self.session, "prompt": blocks})

    async def cancel(self) -> None:
        """Ask for the end of the prompt; its answer comes all the same."""
        assert self._connection is not None
        try:
            told = {"sessionId": self.session}
            await self._connection.send_notification("session/cancel", told)
        except (OSError, RuntimeError) as error:
            raise AgentLost("it does not listen any more") from error

    async def close(self) -> None:
        """End the program and all that it has started. Idempotent, never raises."""
        await self._process.kill()
        if self._connection is not None:
            await self._connection.close()

    async def last_words(self) -> str:
        """Why it is gone, as far as it can be known. Raises SandboxLost."""
        how = "it is still there"
        with suppress(TimeoutError):
            async with asyncio.timeout(GONE_SECONDS):
                how = f"exit code {await self._process.wait()}"
        said = self._process.errors.decode(errors="replace").strip()
        return how + (f": {said[-500:]}" if said else "")

    async def _soon(self, method: str, params: Json) -> Json:
        try:
            async with asyncio.timeout(START_SECONDS):
                return await self._request(method, params)
        except TimeoutError as error:
            message = f"it did not answer {method} within {START_SECONDS:g} seconds"
            raise AgentLost(message) from error

    async def _request(self, method: str, params: Json) -> Json:
        from acp.exceptions import RequestError  # noqa: PLC0415 - see start

        assert self._connection is not None
        try:
            return _object(await self._connection.send_request(method, params))
        except RequestError as error:
            raise AgentError(_words(error, error.data)) from error
        except (OSError, RuntimeError) as error:
            raise AgentLost(str(error) or "it is gone") from error

    async def _taken(self, message: Json) -> bool:
        """Whether *message* is dealt with: updates are, in their order. Waits while there is more
        than anybody has had the time for."""
        method = message.get("method")
        if method == "session/update" and "id" not in message:
            if self.session:
                await self.updates.put(_object(_object(message.get("params")).get("update")))
            return True
        if method is not None and "id" in message:
            await self._answering.acquire()
        return False

    async def _heard(self, method: str, params: Any, notification: bool) -> Any:
        from acp.exceptions import RequestError  # noqa: PLC0415 - see start

        if notification:
            return None
        try:
            return await self._answer(method, _object(params))
        except LookupError:
            raise RequestError.method_not_found(method) from None
        finally:
            self._answering.release()


def _told(server: ServerSpec) -> Json:
    """As the protocol has it. A command must be an absolute path there; `env` looks for it."""
    if server.kind == LOCAL:
        arguments = [server.command, *server.args]
        return {"name": server.name, "command": "/usr/bin/env", "args": arguments, "env": []}
    return {"type": server.kind, "name": server.name, "url": server.url, "headers": []}


class _Lines:
    """One JSON object a line; what is none is passed over, for some agents print more."""

    def __init__(self, process: Process, taken: Callable[[Json], Awaitable[bool]]) -> None:
        """*taken*: whether a message is dealt with already."""
        self._process = process
        self._taken = taken

    async def send(self, message: Json) -> None:
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()

    async def receive(self) -> Json | None:
        """None at the end, and for a line that is too long, which is one."""
        while True:
            try:
                line = await self._process.stdout.readuntil(b"\n")
            except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError):
                return None
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(message, dict) and not await self._taken(message):
                return message

    async def close(self) -> None:
        self._process.stdin.close()


def _object(value: Any) -> Json:
    return value if isinstance(value, dict) else {}


def _words(error: Exception, data: Any) -> str:
    details = _object(data).get("details") or _object(data).get("message")
    return f"{error}: {details}" if isinstance(details, str) and details else str(error)
