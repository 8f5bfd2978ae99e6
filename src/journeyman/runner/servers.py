"""The MCP servers of one run: started before the agent goes on, ended with its sandbox.

Commands run in a sandbox of their own, with its own network rules and a checkout of the commit that
the work starts from: what they are given nobody else can read, and the agent cannot change what is
run. What is wrong with a server is told; the session goes on without it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from journeyman.agent.customisation import servers as configured
from journeyman.agent.customisation.profiles import Profile
from journeyman.agent.customisation.servers import LOCAL, Read, ServerSpec
from journeyman.agent.tools import Tool
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.held import Held
from journeyman.runner import words
from journeyman.runner.briefing import warnings
from journeyman.runner.equipment import Equipment, Exposed
from journeyman.sandbox import (
    Blocked,
    Network,
    Outside,
    Provision,
    Sandbox,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
)
from journeyman.workspace import WorkspaceError, checkout

if TYPE_CHECKING:
    from journeyman.agent.mcp.links import Link
    from journeyman.agent.mcp.server import Server

FOLDER = "mcp"
"""Of the session's directory: what the servers' sandbox keeps."""


@dataclass(frozen=True)
class Wanted:
    """The servers of a session, ready to be started, and what is wrong with others."""

    specs: tuple[ServerSpec, ...] = ()
    named: frozenset[str] = frozenset()
    """Those that the repository's settings configure."""
    problems: tuple[str, ...] = ()


@dataclass
class Servers:
    """Those that were started."""

    tools: Sequence[Tool] = ()
    told: Sequence[NewEvent] = ()
    """What the log says of their start."""
    passed_on: Sequence[ServerSpec] = ()
    """For an agent of others to start by itself, or to ask."""
    left_out: Sequence[str] = ()
    """What is wrong with other tools of theirs."""
    started: list[Server] = field(default_factory=list)
    outside: list[Outside] = field(default_factory=list)
    """The ways to those that are elsewhere."""
    box: Sandbox | None = None
    """Where those that are commands run."""
    _known: set[str] = field(default_factory=set)

    def blocked(self) -> tuple[Blocked, ...]:
        """What the firewall has refused them so far."""
        inside = () if self.box is None else self.box.blocked()
        return inside + tuple(one for way in self.outside for one in way.blocked())

    def news(self) -> list[NewEvent]:
        """Those that have ended since the last look."""
        ended = {server.ended for server in self.started if server.ended} - self._known
        self._known |= ended
        return warnings(sorted(ended))

    async def close(self) -> None:
        """Never raises."""
        await asyncio.gather(*(server.close() for server in self.started))
        if self.box is not None:
            await self.box.close()


def wanted(
    settings: Mapping[str, Any] | None, profile: Profile | None, values: Mapping[str, str]
) -> Wanted:
    """Of the custom agent and of the repository's settings, which count where both name one."""
    said = configured.of_settings(settings)
    own = configured.read(profile.mcp_servers) if profile else Read()
    where = profile.path if profile else ""
    specs = {spec.name: spec for spec in own.servers} | {spec.name: spec for spec in said.servers}
    problems = [*said.faults, *said.warnings, *_of(where, (*own.faults, *own.warnings))]
    made = list[ServerSpec]()
    for spec in specs.values():
        filled, missing = configured.filled(spec, values)
        made.append(filled)
        problems += [
            f"MCP server {spec.name!r} refers to {name}, which no secret or variable has"
            for name in missing
        ]
    named = frozenset(spec.name for spec in said.servers)
    return Wanted(tuple(made), named, tuple(problems))


def _of(path: str, problems: Sequence[str]) -> list[str]:
    return [f"{path}: {problem}" for problem in problems]


async def start(
    held: Held,
    base_sha: str,
    profile: Profile | None,
    *,
    mirror: Path,
    given: Provision,
    exposed: Exposed,
    equipment: Equipment,
) -> Servers:
    """What was started, and what is to be told of it."""
    want = wanted(await equipment.mcp(held.repository), profile, exposed.mcp)
    if not want.specs:
        return Servers(told=warnings(want.problems))
    servers, problems = Servers(), list(want.problems)
    try:
        if any(spec.kind == LOCAL for spec in want.specs):
            try:
                servers.box = await _box(held, base_sha, mirror, given, equipment)
            except (SandboxUnavailable, SandboxLost, WorkspaceError) as error:
                problems.append(f"MCP servers have no sandbox: {error}")
        faults = await _start(servers, want, given, equipment)
    except BaseException:
        await servers.close()
        raise
    entries = [_entry(spec, want, servers.tools, faults.get(spec.name)) for spec in want.specs]
    problems += [f"MCP server {name!r} is not there: {why}" for name, why in faults.items()]
    problems += servers.left_out
    loaded = NewEvent(EventType.MCP_SERVERS, {"servers": entries})
    servers.told = [loaded, *warnings(problems)]
    return servers


def pass_on(settings: Mapping[str, Any] | None) -> Servers:
    """Those of a repository's settings for an agent of others, which starts them in its own
    sandbox, where everything can read what they are given: so only those that are given nothing.
    Why others are left out is told."""
    said = configured.of_settings(settings)
    servers, problems = list[ServerSpec](), [*said.faults, *said.warnings]
    for spec in said.servers:
        bare, wanted_ = configured.filled(spec, {})
        if why := _kept_back(spec, wanted_):
            problems.append(f"MCP server {spec.name!r} is not passed on to the agent: {why}")
        else:
            servers.append(bare)
    return Servers(passed_on=servers, told=warnings(problems))


def _kept_back(spec: ServerSpec, refers_to: Sequence[str]) -> str:
    if refers_to:
        return f"every command of the session could read {refers_to[0]} then"
    if spec.env or spec.headers:
        given = "env" if spec.env else "headers"
        return f"every command of the session could read its {given} then"
    if spec.tools != ("*",):
        return "it would be given all of its tools, and only some are allowed"
    return ""


async def _start(
    servers: Servers, want: Wanted, given: Provision, equipment: Equipment
) -> dict[str, str]:
    """Start all at once; which could not be, and why."""
    # Most sessions have no server, and the SDK is slow to import.
    from journeyman.agent.mcp.server import Failed, Server  # noqa: PLC0415
    from journeyman.agent.mcp.tools import tools_of  # noqa: PLC0415

    faults = dict[str, str]()
    for spec in want.specs:
        try:
            servers.started.append(Server(spec, _link(servers, spec, want, given, equipment)))
        except Unlinked as error:
            faults[spec.name] = str(error)
    started = [server.start() for server in servers.started]
    outcomes = await asyncio.gather(*started, return_exceptions=True)
    for server, outcome in zip(servers.started, outcomes, strict=True):
        if isinstance(outcome, Failed):
            faults[server.spec.name] = str(outcome)
        elif outcome is not None:
            raise outcome
    servers.tools, servers.left_out = tools_of(
        [server for server in servers.started if server.spec.name not in faults]
    )
    return faults


class Unlinked(Exception):
    """There is no way to a server; the text says why."""


def _link(
    servers: Servers, spec: ServerSpec, want: Wanted, given: Provision, equipment: Equipment
) -> Link:
    from journeyman.agent.mcp.links import Local, Remote  # noqa: PLC0415 - as above

    if spec.kind != LOCAL:
        try:
            way = equipment.outside(_network(spec, want, given))
        except ValueError as error:
            raise Unlinked(str(error)) from error
        servers.outside.append(way)
        return Remote(way, spec)
    if servers.box is None:
        raise Unlinked("it has no sandbox")
    return Local(servers.box, spec)


def _entry(
    spec: ServerSpec, want: Wanted, tools: Sequence[Tool], fault: str | None
) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": spec.name,
        "status": "failed" if fault else "connected",
        "transport": "stdio" if spec.kind == LOCAL else spec.kind,
        "source": "settings" if spec.name in want.named else "agent",
    }
    if fault:
        return {**entry, "error": fault}
    prefix = f"{spec.name}/"
    own = [tool.name for tool in tools if tool.listed.startswith(prefix)]
    return {**entry, "tools": own}


def _network(spec: ServerSpec, want: Wanted, given: Provision) -> Network:
    """Who administers the repository has named its servers' addresses, and may add any host."""
    network = given.mcp or Network()
    if spec.name not in want.named or not given.mcp_by_address:
        return network
    parts = urlsplit(spec.url)
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return network
    host = parts.hostname or ""
    rule = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return replace(network, allow=(*network.allow, rule))


async def _box(
    held: Held, base_sha: str, mirror: Path, given: Provision, equipment: Equipment
) -> Sandbox:
    box = await equipment.sandboxes.start(
        SandboxSpec(
            id=f"{held.session.id}-{FOLDER}",
            directory=equipment.workspace(held.session.id) / FOLDER,
            mirror=mirror,
            limits=equipment.limits,
            env=given.env,
            files={
                **given.files,
                checkout.GITCONFIG: checkout.gitconfig(words.AGENT_NAME, words.AGENT_EMAIL),
            },
            folders=given.folders,
            network=given.mcp,
            image=given.image,
            base=await equipment.bases.find(held.repository.id, base_sha),
        )
    )
    try:
        await checkout.checkout(
            box,
            base_sha=base_sha,
            head_ref=held.session.head_ref,
            clone_url=f"{equipment.public_url}/{held.repository.full_name}.git",
        )
    except BaseException:
        await box.close()
        raise
    return box
