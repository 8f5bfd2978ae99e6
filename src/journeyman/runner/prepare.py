"""The beginning of a run: a sandbox, the working tree as it was left, and what was said so far."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog

from journeyman.agent.acp.loop import AtWork
from journeyman.agent.conversation import Conversation
from journeyman.agent.customisation.hooks import Moment
from journeyman.agent.customisation.profiles import Profile
from journeyman.agent.customisation.repository import Customisation
from journeyman.agent.hooks import Hooks
from journeyman.agent.masking import Mask
from journeyman.agent.tools import Jobs
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import Event
from journeyman.domain.held import Held
from journeyman.domain.limits import Meter
from journeyman.domain.sessions import Reason, Session
from journeyman.forge import ForgeError
from journeyman.llm import Reply
from journeyman.runner import (
    briefing,
    choices,
    delivery,
    external,
    looks,
    opening,
    refusals,
    setup,
    words,
)
from journeyman.runner.checks import Checked
from journeyman.runner.equipment import Equipment, Exposed
from journeyman.runner.external import Engaged, Launch, Wanted
from journeyman.runner.live import Run, trailers
from journeyman.runner.masked import Masked
from journeyman.runner.outcome import Stop, failed
from journeyman.runner.refusals import Refusals
from journeyman.runner.servers import Servers, pass_on
from journeyman.runner.servers import start as start_servers
from journeyman.sandbox import Network, Provision, Sandbox, SandboxSpec, SandboxUnavailable
from journeyman.telemetry import metrics
from journeyman.telemetry.measured import measured
from journeyman.workspace import MirrorBroken, checkout

log = structlog.get_logger()


async def prepare(held: Held, equipment: Equipment) -> Run:
    """A running sandbox with the working tree as it was left, and the conversation so far.

    The session may have ended meanwhile: `Run.held.session.ended`.
    """
    choices.check_model(held, equipment.models)
    other = external.wanted(held, equipment)
    base_sha, anew = await _start_commit(held, equipment)
    rules = _rules(held, base_sha, anew=anew)
    mirror = await _mirror(held, base_sha, rules, equipment)
    given = await equipment.provision(held.repository)
    exposed = await equipment.exposed(held.repository)
    mask = Mask(exposed.masked)
    equipment = replace(equipment, ledger=Masked(equipment.ledger, mask))
    unchanged = looks.unchanged(equipment.workspace(held.session.id), held.log)
    spec = _spec(held, mirror, given, exposed, other, equipment)
    box = await _ready(spec, held, base_sha, equipment)
    servers = Servers()
    try:
        equipment.bases.prepare(held.repository.id, base_sha, mirror)
        found = await briefing.customisation(rules, box, equipment.instructions)
        profile = choices.profile_for(held, found)
        # In a thread, since the price list, which knows what fits, takes half a second to read.
        model = (
            other.model
            if other
            else await asyncio.to_thread(choices.model_for, held, profile, equipment.models)
        )
        session, begun = await equipment.ledger.begin(
            held.session,
            base_sha,
            opening.started(
                held,
                base_sha,
                box,
                other.model_id if other else model.id,
                _agent(other, profile),
                anew=anew,
                unchanged=unchanged,
            ),
        )
        current = _begun(held, session)
        hooks_in = partial(_hooks, current, found, {**exposed.env, **given.env})
        hooks = hooks_in(box)
        if begun and not opening.has_started(held):
            begun += await opening.tell(
                current,
                [
                    *opening.told_anew(current, begun),
                    *opening.told_refused(begun),
                    *briefing.told(found, profile, model, ignored=given.ignored),
                ],
                equipment,
            )
        if begun:
            begun += await opening.set_up(
                current, found.setup, box, given=given, exposed=exposed, equipment=equipment
            )
            servers = (
                await start_servers(
                    current,
                    rules,
                    profile,
                    mirror=mirror,
                    given=given,
                    exposed=exposed,
                    equipment=equipment,
                )
                if other is None
                else pass_on(await equipment.mcp(current.repository))
            )
            begun += await opening.tell(current, servers.told, equipment)
            begun += await opening.fire_hooks(current, hooks, equipment)
    except BaseException:
        await asyncio.gather(box.close(), servers.close())
        raise
    seen = replace(current, log=[*held.log, *begun])
    hooks.note(seen.log)
    network = refusals.told(given.network)
    conversation = Conversation.fold(
        seen.log,
        instructions=briefing.instructions(
            seen, base_sha, found, profile, network=network, set_up=setup.summary(seen.log)
        ),
    )
    run = Run(
        held=current,
        equipment=equipment,
        base_sha=base_sha,
        box=box,
        another_box=partial(_another, spec, current, base_sha, equipment),
        model=model,
        jobs=Jobs(box, begun=conversation.jobs.begun),
        conversation=conversation,
        helpers=briefing.helpers(seen, base_sha, found, network=network),
        customisation=found,
        refusals=Refusals(held.log),
        profile=profile,
        mask=mask,
        servers=servers,
        hooks=hooks,
        hooks_in=hooks_in,
        checkpoint=current.checkpoint,
        ours=delivery.checkpoint_shas(held),
        meter=_metered(seen.log),
        checked=Checked(seen.log),
        newest=seen.log[-1] if seen.log else None,
    )
    if other is not None:
        run.external = _engaged(
            run,
            other,
            briefing.outsiders(
                seen, base_sha, found, network=network, set_up=setup.summary(seen.log)
            ),
            seen.log,
        )
    return run


def _agent(other: Wanted | None, profile: Profile | None) -> str | None:
    """What `custom_agent` came to."""
    if other is not None:
        return other.external.id
    return profile.id if profile else None


async def _mirror(held: Held, base_sha: str, rules: str, equipment: Equipment) -> Path:
    remote = await equipment.forge.remote(held.actor, held.repository)
    mirror = await equipment.mirrors.refresh(held.repository.id, remote, commit=base_sha)
    if rules != base_sha:
        # No branch holds it any more where history was rewritten since.
        try:
            await equipment.mirrors.holding(held.repository.id, remote, rules)
        except ForgeError as error:
            if not error.permanent:
                raise
            log.warning("prepare.rules_lost", session_id=held.session.id, error=str(error))
    return mirror


def _hooks(held: Held, found: Customisation, environment: Mapping[str, str], box: Sandbox) -> Hooks:
    session = held.session
    # A message during a delivery makes the session go on; it has told of its end then.
    ended = any(event.data.get("hookType") == Moment.SESSION_END for event in held.log)
    return Hooks(
        [one for one in found.hooks if not (ended and one.moment is Moment.SESSION_END)],
        box,
        session_id=session.id,
        prompt=session.prompt,
        environment=environment,
    )


def _metered(log: Sequence[Event]) -> Meter:
    meter = Meter()
    for event in log:
        meter.apply(event)
    return meter


async def _ready(spec: SandboxSpec, held: Held, base_sha: str, equipment: Equipment) -> Sandbox:
    """A sandbox with the working tree as it was left, also when the mirror proves to be broken."""
    try:
        return await _checked_out(spec, held, base_sha, equipment)
    except MirrorBroken as error:
        repository = held.repository
        log.warning("mirror.broken", repository_id=repository.id, error=str(error))
        remote = await equipment.forge.remote(held.actor, repository)
        await equipment.mirrors.rebuild(repository.id, remote, commit=base_sha)
        return await _checked_out(spec, held, base_sha, equipment)


async def _checked_out(
    spec: SandboxSpec, held: Held, base_sha: str, equipment: Equipment
) -> Sandbox:
    box = await _started(spec, held, base_sha, equipment)
    try:
        looks.begin(spec.directory, held.session.fence)
        await _check_out(held, base_sha, box, equipment)
    except BaseException:
        await box.close()
        raise
    return box


async def _started(spec: SandboxSpec, held: Held, base_sha: str, equipment: Equipment) -> Sandbox:
    based = replace(spec, base=await equipment.bases.find(held.repository.id, base_sha))
    with measured("sandbox.start", metrics.SANDBOX_START):
        return await equipment.sandboxes.start(based)


async def _another(
    spec: SandboxSpec, held: Held, base_sha: str, equipment: Equipment
) -> Sandbox | None:
    try:
        remote = await equipment.forge.remote(held.actor, held.repository)
        await equipment.mirrors.mend(held.repository.id, remote, commit=base_sha)
        return await _started(spec, held, base_sha, equipment)
    except (ForgeError, SandboxUnavailable) as error:
        log.warning("run.no_other_sandbox", session_id=held.session.id, error=str(error))
        return None


def _engaged(run: Run, other: Wanted, told: str, log: Sequence[Event]) -> Engaged:
    def spent(reply: Reply, seconds: float) -> None:
        at_work.spent(reply, seconds)

    launch = Launch(other, run.box, spent)
    at_work = AtWork(
        other.external,
        launch,
        told,
        run.conversation,
        servers=run.servers.passed_on,
        emit=run.emit,
        publish=run.publish,
        mask=run.mask,
    )
    for event in log:
        at_work.note(event)
    return Engaged(at_work, launch)


def _begun(held: Held, session: Session) -> Held:
    """As it is kept for as long as the run lasts."""
    saved = None if held.checkpoint is None else held.checkpoint.without_bundle
    return replace(held, session=session, checkpoint=saved)


async def _start_commit(held: Held, equipment: Equipment) -> tuple[str, bool]:
    """And whether the branch is begun anew: the task has pushed it, and it was deleted since."""
    session, forge = held.session, equipment.forge
    if session.base_sha:
        return session.base_sha, False
    branch = session.branch_base
    tip = await forge.find_tip(held.actor, held.repository, branch)
    gone = tip is None and session.on_existing_branch and held.pushed
    if gone:
        branch = session.base_ref
        tip = await forge.find_tip(held.actor, held.repository, branch)
    if tip is None:
        raise Stop(
            failed(
                Reason.BASE_REF_NOT_FOUND,
                f"{held.repository.full_name} has no branch {branch!r} any more; "
                "start a task from one that exists.",
            )
        )
    return tip, gone


def _rules(held: Held, base_sha: str, *, anew: bool) -> str:
    """The commit whose files for agents count, and whose MCP servers are run: what earlier sessions
    of the task have written into them gives a later one no more than they had."""
    if held.origin_sha is None or anew or opening.has_begun_anew(held.log):
        return base_sha
    return held.origin_sha


def _spec(
    held: Held,
    mirror: Path,
    given: Provision,
    exposed: Exposed,
    other: Wanted | None,
    equipment: Equipment,
) -> SandboxSpec:
    # An agent of others finds its model inside the sandbox's network, be it otherwise empty.
    network = given.network or (Network() if other and other.endpoint else None)
    return SandboxSpec(
        id=held.session.id,
        directory=equipment.workspace(held.session.id),
        mirror=mirror,
        limits=equipment.limits,
        env={**exposed.env, **given.env, "BASH_ENV": setup.ENVIRONMENT},
        files={
            **given.files,
            checkout.GITCONFIG: checkout.gitconfig(words.AGENT_NAME, words.AGENT_EMAIL),
        },
        folders=(*given.folders, *(other.external.folders if other else ())),
        network=network,
        image=given.image,
        cache=given.cache,
    )


async def _check_out(held: Held, base_sha: str, box: Sandbox, equipment: Equipment) -> None:
    head_ref = held.session.head_ref
    await checkout.checkout(
        box,
        base_sha=base_sha,
        head_ref=head_ref,
        clone_url=equipment.clone_url(held),
        trailers=trailers(held, equipment),
    )
    if held.session.last_seq or held.checkpoint is not None:
        # What came after the last checkpoint may be half done; the agent is told that it is gone.
        kept = held.checkpoint or checkpoint_of(base_sha)
        await checkout.restore(box, kept, head_ref=head_ref)


def checkpoint_of(base_sha: str) -> Checkpoint:
    """A workspace in which nothing has happened yet."""
    return Checkpoint(base_sha, base_sha, tree="", changed_files=0, bundle=None)
