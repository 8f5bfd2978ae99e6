"""An agent of others in a run: its program in the sandbox, and its model at a port inside.

Knows nothing of the protocol it speaks.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from journeyman.agent.acp import External, named
from journeyman.agent.acp.connection import LINE_BYTES
from journeyman.agent.acp.loop import AtWork
from journeyman.domain.held import Held
from journeyman.domain.sessions import Reason
from journeyman.llm import SCRIPT, Endpoint, Model, OnReply, UnknownModel
from journeyman.runner.equipment import Equipment
from journeyman.runner.outcome import Stop, failed
from journeyman.sandbox import Process, Sandbox

PORTS = range(4891, 4899)
"""Inside, where its model is; the first that is free."""
URL, MODEL = "{url}", "{model}"


@dataclass(frozen=True)
class Wanted:
    """Who was asked for, and the model it gets."""

    external: External
    model: Model
    endpoint: Endpoint | None

    @property
    def model_id(self) -> str:
        """For the log: agents with ways of their own say nothing of theirs."""
        return self.model.id if self.endpoint else self.external.id


def wanted(held: Held, equipment: Equipment) -> Wanted | None:
    """The agent of others that was asked for; None when another is. Raises Stop."""
    name = named(held.session.custom_agent)
    if name is None:
        return None
    external = equipment.externals.get(name)
    if external is None:
        there = ", ".join(one.id for one in equipment.externals.values()) or "none"
        message = f"No agent acp:{name} is configured here; there is: {there}."
        raise Stop(failed(Reason.CUSTOM_AGENT_NOT_FOUND, message))
    if not external.model:
        return Wanted(external, equipment.models.resolve(SCRIPT), None)
    asked = held.session.model
    chosen = asked if asked and asked.lower() != "auto" else external.model
    try:
        model = equipment.models.resolve(chosen)
        if model.id.partition(":")[0] != external.model.partition(":")[0]:
            there = external.model.partition(":")[0]
            raise ValueError(f"{external.id} works with models of {there} only, not {model.id}")
        return Wanted(external, model, equipment.endpoint(model.id))
    except (UnknownModel, ValueError) as error:
        raise Stop(failed(Reason.MODEL_NOT_CONFIGURED, f"{error}.")) from error


@dataclass(frozen=True)
class Engaged:
    """The agent at work, and what it needs as long as it is."""

    at_work: AtWork
    launch: Launch

    async def close(self) -> None:
        """Idempotent."""
        await self.at_work.close()
        await self.launch.close()


@dataclass
class Launch:
    """Starts the program, as often as it must be; its model is served from the first time on."""

    wanted: Wanted
    box: Sandbox
    told: OnReply
    _url: str = ""
    _open: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __call__(self) -> Process:
        external, endpoint = self.wanted.external, self.wanted.endpoint
        if endpoint is not None and not self._url:
            self._url = await self._serve(endpoint)
        env = _filled(external.env, self._url, endpoint.model if endpoint else "")
        return await self.box.spawn(external.command, env=env, limit_bytes=LINE_BYTES)

    async def close(self) -> None:
        """Idempotent."""
        await self._open.aclose()

    async def _serve(self, endpoint: Endpoint) -> str:
        port, listening = await _listen(self.box, PORTS)
        await self._open.enter_async_context(endpoint.serve(listening, self.told))
        return f"http://127.0.0.1:{port}"


async def _listen(box: Sandbox, ports: Sequence[int]) -> tuple[int, socket.socket]:
    for port in ports[:-1]:
        try:
            return port, await box.listen(port)
        except ValueError:
            continue
    return ports[-1], await box.listen(ports[-1])


def _filled(env: Mapping[str, str], url: str, model: str) -> dict[str, str]:
    return {name: v.replace(URL, url).replace(MODEL, model) for name, v in env.items()}
