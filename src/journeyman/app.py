"""The composition root: from a Config to a running process.

Only this file, `adapters` and `administering` name implementations.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send

from journeyman import __version__, adapters, administering, hosting
from journeyman.agent import instructions
from journeyman.api import routes
from journeyman.api.exchange import new_request_id
from journeyman.api.metrics import Metrics
from journeyman.api.oauth import TokenEndpoints
from journeyman.api.payloads import Payloads
from journeyman.api.ratelimit import Limits, keeping
from journeyman.config import Config
from journeyman.domain.repositories import Repository
from journeyman.engine import executor, queue
from journeyman.forge import Forge
from journeyman.forge.embedded import tokens
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.forge.embedded.git_http import GitHttp
from journeyman.forge.embedded.history import History
from journeyman.forge.embedded.merges import Merges
from journeyman.llm.registry import Registry
from journeyman.runner.equipment import Checks, Equipment, Exposed
from journeyman.sandbox import Guarantee
from journeyman.service import Services
from journeyman.service.administration import Administration
from journeyman.service.apps import Apps
from journeyman.service.audit import Audit
from journeyman.service.authorizations import Authorizations
from journeyman.service.browsing import Browsing
from journeyman.service.changes import Changes
from journeyman.service.collaborators import Collaborators
from journeyman.service.configurations import Configurations
from journeyman.service.consents import Consents
from journeyman.service.custom_agents import CustomAgents
from journeyman.service.deliveries import Deliveries
from journeyman.service.elsewhere import Elsewhere
from journeyman.service.events import Events
from journeyman.service.forge_logins import ForgeLogins
from journeyman.service.history import Histories
from journeyman.service.hooks import Hooks
from journeyman.service.identity import Identity
from journeyman.service.ledger import Ledger
from journeyman.service.live import Live
from journeyman.service.logins import Logins
from journeyman.service.means import Means
from journeyman.service.oauth import OAuth
from journeyman.service.outbox import Outbox
from journeyman.service.overview import Overviews
from journeyman.service.parked import Parked
from journeyman.service.patches import Patches
from journeyman.service.personal_tokens import PersonalTokens
from journeyman.service.proposing import Proposing
from journeyman.service.pulls import Pulls
from journeyman.service.rates import Rates
from journeyman.service.readings import Disk, Readings
from journeyman.service.records import StoredRecords
from journeyman.service.retention import Expiry
from journeyman.service.reviews import Reviews
from journeyman.service.secrets import Secrets
from journeyman.service.sessions import Sessions
from journeyman.service.tasks import Tasks
from journeyman.service.templates import Templates
from journeyman.service.triggers import Triggers
from journeyman.service.upstream import Credentials, Seen, Upstream, claim
from journeyman.service.users import Users
from journeyman.service.vault import Vault
from journeyman.store.database import (
    Database,
    ensure_data_directory,
    make_engine,
    sqlite_url,
)
from journeyman.telemetry import traces
from journeyman.telemetry.requests import Observed
from journeyman.web.dashboard import Dashboard
from journeyman.web.signin import SignIn
from journeyman.worker.deliverer import Deliverer
from journeyman.worker.loop import Worker
from journeyman.worker.recovery import Janitor
from journeyman.worker.starter import Starter
from journeyman.workspace import checkout
from journeyman.workspace.bases import Bases
from journeyman.workspace.mirror import Mirrors
from journeyman.workspace.publish import Publisher

log = structlog.get_logger()
Invite = Callable[[str], None]


class PartOfPaths(Protocol):
    """An application that answers some paths."""

    def matches(self, path: str) -> bool: ...

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...


@dataclass(frozen=True)
class Parts:
    """One process's share of everything, wired."""

    config: Config
    database: Database
    queue: queue.Queue
    forge: Forge
    embedded: EmbeddedForge
    """What is kept here; the same as *forge* unless another one is configured."""
    models: Registry
    live: Live
    services: Services
    mirrors: Mirrors
    publisher: Publisher
    readings: Readings
    changes: Changes
    deliveries: Deliveries
    credentials: Credentials


@asynccontextmanager
async def parts(
    config: Config, public_url: str = "", *, server_url: str = ""
) -> AsyncIterator[Parts]:
    """Everything but the worker and the socket. The database is brought up to date first.

    *public_url*: what addresses told to others start with, where it is not the configured one.
    *server_url*: where the server is whose data directory this process does not share.
    """
    ensure_data_directory(config.data)
    await asyncio.to_thread(migrate, config)
    database = Database(config.database.url)
    own = adapters.embedded(config, StoredRecords(database), server_url)
    vault = Vault(config.data / "secrets.key", make=not server_url)
    async with adapters.forge(config, own) as forge:
        made = _wired(config, database, forge, own, vault, public_url or config.public_url)
        elsewhere = asyncio.create_task(Elsewhere(database, made.live).run())
        try:
            await claim(database, config.forge.url)
            await made.publisher.sweep()
            yield made
        finally:
            await _end(elsewhere)
            await made.models.aclose()
            made.queue.close()
            database.close()


def _wired(
    config: Config,
    database: Database,
    forge: Forge,
    embedded: EmbeddedForge,
    vault: Vault,
    public_url: str,
) -> Parts:
    sending = queue.Queue(database.engine)
    models, live = Registry(adapters.providers(config)), Live()
    mirrors, publisher = Mirrors(config.data / "mirrors"), Publisher(config.data / "publishing")
    outbox = Outbox(Payloads(public_url))
    changes = Changes(outbox)
    credentials = Credentials(vault)
    tasks = Tasks(
        database,
        sending,
        forge,
        models,
        changes,
        credentials=credentials,
        allowance=config.limits.allowance,
        externals=[one.name for one in config.acp],
    )
    sessions = Sessions(database, sending, tasks, live, changes)
    history, upstream = History(embedded.path), forge is not embedded
    merges = Merges(embedded.path, history, embedded.upstreams)
    operator, logins = Administration(database, embedded, tokens), Logins(database, vault)
    identity = Identity(forge, Seen(database) if upstream else None)
    services = Services(
        identity=identity,
        tasks=tasks,
        sessions=sessions,
        events=Events(database, tasks, live),
        patches=Patches(database, tasks, forge, mirrors, publisher),
        models=models,
        custom_agents=CustomAgents(forge.texts, list(adapters.externals(config).values())),
        browsing=Browsing(database, tasks),
        oauth=OAuth(database, tokens),
        consents=Consents(database, tokens),
        apps=Apps(database, tokens),
        pulls=Pulls(database, forge, history, merges),
        proposing=Proposing(database, forge, tasks, changes, public_url),
        logins=logins,
        reviews=Reviews(database, tasks, sessions),
        templates=Templates(database),
        histories=Histories(history),
        secrets=Secrets(database, vault),
        configurations=Configurations(database),
        collaborators=Collaborators(database),
        hooks=Hooks(database, vault, outbox),
        audit=Audit(database),
        overviews=Overviews(database, sending, tasks.reach),
        personal_tokens=PersonalTokens(database, operator),
        authorizations=Authorizations(database),
        users=Users(database, operator, logins, sessions),
        triggers=Triggers(database, config.triggers.rules),
        forge_logins=ForgeLogins(forge.sign_in, identity) if forge.sign_in else None,
        upstream=Upstream(forge.passing) if forge.passing else None,
    )
    return Parts(
        config=config,
        database=database,
        queue=sending,
        forge=forge,
        embedded=embedded,
        models=models,
        live=live,
        services=services,
        mirrors=mirrors,
        publisher=publisher,
        readings=Readings(database, config.data, _directories(config)),
        changes=changes,
        deliveries=Deliveries(database, vault),
        credentials=credentials,
    )


def starter(parts: Parts, public_url: str) -> Starter:
    """Begins what is asked for on another forge."""
    said, database = parts.config.triggers, parts.database
    means = Means.of(parts.services, database, parts.forge, said.token, said.rules, public_url)
    return Starter(means, poll_seconds=said.poll_seconds, repositories=said.repositories)


@asynccontextmanager
async def working(
    parts: Parts, public_url: str, at_once: asyncio.Event | None = None
) -> AsyncIterator[None]:
    """Take runs from the queue for as long as the context lasts. Running steps may end then, for
    as long as the configuration says and *at_once* is not set."""
    config = parts.config
    # Now, not at the first run: by then an upgrade may have replaced the files.
    checkout.scripts()
    instructions.templates()
    ledger = Ledger(parts.database, parts.live, parts.changes, credentials=parts.credentials)
    secrets, configurations = parts.services.secrets, parts.services.configurations

    async def exposed(repository: Repository) -> Exposed:
        return Exposed(
            env=await secrets.environment_for(repository),
            masked=await secrets.masked_for(repository),
            mcp=await secrets.environment_for(repository, mcp=True),
        )

    async def mcp(repository: Repository) -> Mapping[str, Any] | None:
        return (await configurations.of_repository(repository)).mcp_configuration

    sandboxes, workspaces = adapters.sandboxes(config), config.data / "workspaces"
    caches = adapters.caches(config, sandboxes)

    advisories = Path(config.checks.advisories) if config.checks.advisories else None

    async def checks(repository: Repository) -> Checks:
        said = await configurations.of_repository(repository)
        return Checks(
            said.enabled_tools,
            config.models.review,
            block_secrets=config.checks.secrets == "block",
            advisories=advisories,
        )

    bases = Bases(
        config.data / "bases", sandboxes, workspaces=workspaces, limits=config.sandbox.limits
    )
    equipment = Equipment(
        ledger=ledger,
        forge=parts.forge,
        mirrors=parts.mirrors,
        bases=bases,
        publisher=parts.publisher,
        sandboxes=sandboxes,
        limits=config.sandbox.limits,
        models=parts.models,
        workspaces=workspaces,
        public_url=public_url,
        provision=adapters.provision(config, configurations, caches),
        exposed=exposed,
        sweep_caches=caches.sweep,
        checks=checks,
        mcp=mcp,
        outside=adapters.outside(),
        externals=adapters.externals(config),
        endpoint=partial(adapters.endpoint, config),
        instructions=Path(config.agent.instructions) if config.agent.instructions else None,
    )
    await equipment.sandboxes.sweep()
    options = executor.Options(
        concurrency=config.worker.concurrency,
        urgent=config.worker.urgent,
        per_user=config.worker.per_user,
        all_processes=config.worker.global_concurrency or None,
        polling_seconds=config.worker.polling_seconds,
    )
    engine = executor.Executor(config.database.url, make_engine(config.database.url), options)
    worker = Worker(ledger, equipment, engine.owns)
    parked = Parked(parts.database, parts.queue, parts.live, parts.changes)
    expiry = Expiry(parts.database, config.retention)
    repairs = Janitor(ledger, parked, parts.queue, equipment, expiry, config.retention)
    beside = [repairs.run(), Deliverer(parts.deliveries, adapters.sender(config)).run()]
    if config.triggers.token:
        beside.append(starter(parts, public_url).run())
    running = [asyncio.create_task(one) for one in beside]
    worker.start()
    await engine.start(worker.steps())
    try:
        yield
    finally:
        for one in running:
            await _end(one)
        draining = asyncio.create_task(worker.drain(config.worker.drain_seconds))
        await _first_of(draining, at_once or asyncio.Event())
        await _end(draining)
        await engine.stop()
        await worker.stop()
        await bases.close()


@asynccontextmanager
async def observing(made: Parts, process: str) -> AsyncIterator[None]:
    """Send traces where they are wanted, and look at the disk from time to time."""
    if made.config.traces:
        traces.configure(__version__, process)
    watching = asyncio.create_task(made.readings.watch_disk())
    try:
        yield
    finally:
        await _end(watching)
        await asyncio.to_thread(traces.shutdown)


async def _end(task: asyncio.Task[None]) -> None:
    """Whatever became of it: what comes after this in a stop must not be skipped."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def migrate(config: Config) -> None:
    """Bring the database to this version's schema; does nothing when it is there."""
    administering.upgrade(config)
    queue.migrate(config.database.url)


def serve(config: Config, *, with_worker: bool = True, invite: Invite | None = None) -> None:
    """Serve the API, git and, with a worker, carry out tasks, until SIGTERM or SIGINT.

    While nobody has ever logged in, *invite* gets a one-time link for the first user.
    """
    hint = "Choose another port with --port, or 0 for any that is free."
    listening = hosting.bind(config.server.host, config.server.port, hint)
    asyncio.run(_serve(config, listening, with_worker=with_worker, invite=invite))


def work(config: Config) -> None:
    """Carry out tasks without serving anything, until SIGTERM or SIGINT."""
    here = config.metrics
    hint = "Choose another metrics.port, or 0 for any that is free."
    listening = None if here.port is None else hosting.bind(here.host, here.port, hint)
    asyncio.run(_work(config, listening))


async def disk(config: Config) -> Disk | None:
    """What is used where; None when nothing is kept here yet. Raises DatabaseLost."""
    url = config.database.url
    if not (config.data / "repositories").exists() and url == sqlite_url(config.data):
        return None
    database = Database(url)
    try:
        return await Readings(database, config.data, _directories(config)).disk()
    finally:
        database.close()


def _directories(config: Config) -> dict[str, Path]:
    return {
        name: config.data / name
        for name in ("repositories", "mirrors", "bases", "caches", "workspaces")
    }


async def doctor(config: Config) -> tuple[Guarantee, ...]:
    """What this host can and cannot guarantee."""
    probe = await adapters.sandboxes(config).probe()
    return probe.guarantees


async def _invite_first(made: Parts, public_url: str, invite: Invite | None) -> None:
    here = made.forge is made.embedded
    secret = await made.services.logins.invite_first() if invite and here else None
    if invite is not None and secret is not None:
        invite(f"{public_url}/login/link/{secret}")


async def _serve(
    config: Config, listening: socket.socket, *, with_worker: bool, invite: Invite | None
) -> None:
    host, port = listening.getsockname()[:2]
    public_url = config.server.public_url.rstrip("/") or f"http://{hosting.shown(host)}:{port}"
    stopping, at_once = hosting.stop_on_signal()
    async with (
        parts(config, public_url) as made,
        observing(made, "serve"),
        keeping(Limits(config.rate), Rates(made.database)) as limits,
        hosting.answering(asgi_app(made, stopping, limits), listening) as serving,
        working(made, public_url, at_once) if with_worker else nullcontext(),
    ):
        hosting.keep()
        log.info("server.listening", url=public_url, worker=with_worker)
        await _invite_first(made, public_url, invite)
        await _first_of(serving, stopping)


async def _work(config: Config, listening: socket.socket | None) -> None:
    stopping, at_once = hosting.stop_on_signal()
    server_url = config.worker.server_url.rstrip("/")
    public_url = config.server.public_url.rstrip("/") or server_url or config.public_url
    async with (
        parts(config, public_url, server_url=server_url) as made,
        observing(made, "worker"),
    ):
        answering = hosting.answering(_metrics(made), listening) if listening else nullcontext()
        async with answering, working(made, public_url, at_once):
            hosting.keep()
            at = listening.getsockname()[1] if listening else None
            log.info("worker.ready", data=str(config.data), metrics_port=at)
            await stopping.wait()


def _metrics(made: Parts) -> Metrics:
    return Metrics(made.readings.refresh, token=made.config.metrics.token)


async def _first_of(work: asyncio.Task[None], event: asyncio.Event) -> None:
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def asgi_app(made: Parts, stopping: asyncio.Event, limits: Limits | None = None) -> ASGIApp:
    """Git where the path is a repository's, login below its own, the API everywhere else. Where
    another forge has the repositories and the users, git and OAuth are its own."""
    public_url = made.config.server.public_url.rstrip("/")
    forge_url = made.forge.url
    secret = made.config.triggers.secret
    options = routes.Options(public_url, forge_url, secret)
    limits = limits or Limits(made.config.rate)
    github = routes.build_app(made.services, options, limits=limits, stopping=stopping)
    dashboard = Dashboard(
        made.services,
        stopping=stopping,
        public_url=public_url,
        forge_url=forge_url,
        pull_path=made.forge.pull_path,
    )
    others: tuple[PartOfPaths, ...] = (
        _metrics(made),
        SignIn(made.services, public_url=public_url, forge_url=forge_url),
        dashboard,
    )
    if not forge_url:
        oauth = TokenEndpoints(made.services.oauth, public_url=public_url)
        others = (GitHttp(made.embedded), oauth, *others)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await github(scope, receive, send)
            return
        rest = dashboard if dashboard.welcomes(scope) else github
        chosen = next((one for one in others if one.matches(scope["path"])), rest)
        await chosen(scope, receive, send)

    return Observed(app, new_request_id)
