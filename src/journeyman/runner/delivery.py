"""From a checkpoint to the forge: the branch, and the pull request where there is one to be.

Needs no sandbox, and does nothing twice: what was pushed and opened before is found and brought
up to date.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog

from journeyman.agent.masking import Mask
from journeyman.domain.artifacts import BranchArtifact, PullArtifact
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import Event, EventType
from journeyman.domain.held import Held
from journeyman.domain.repositories import Pull
from journeyman.domain.sessions import Reason, State
from journeyman.forge import (
    ForgeError,
    ForgeRefused,
    NewPull,
    PullChange,
    PullRejected,
    PushRejected,
)
from journeyman.runner import checks, leaks, words
from journeyman.runner.checks import Checked
from journeyman.runner.equipment import Equipment
from journeyman.runner.outcome import Outcome, outcome_of
from journeyman.runner.refusals import Refusals
from journeyman.sandbox import Blocked
from journeyman.telemetry import metrics
from journeyman.telemetry.measured import measured
from journeyman.workspace.publish import Inspect, Work

log = structlog.get_logger()

PUSH_AGAIN_SECONDS = (1.0, 4.0)
"""Waits before a push that failed for a moment is tried again by the same run."""
SECRETS_SHOWN = 5
_WAY_OUT = (
    "Open it yourself, or give the token the right to write pull requests and send a message."
)


def checkpoint_shas(held: Held) -> set[str]:
    """Every commit that this task may have pushed: each was a checkpoint before."""
    log: Iterable[Event] = (*held.earlier, *held.log)
    return {event.data["sha"] for event in log if event.type is EventType.CHECKPOINT}


async def carried_out(
    held: Held, outcome: Outcome, equipment: Equipment, description: str
) -> Outcome:
    """What becomes of *outcome* at the forge. What may pass by itself is tried again; then it is
    parked, to be tried later."""
    for seconds in (*PUSH_AGAIN_SECONDS, None):
        try:
            return await _delivered(held, outcome, equipment, description)
        except ForgeError as error:
            if error.permanent:
                return outcome_of(error)
            if seconds is None:
                message = f"{error} The work is kept, and pushing it is tried again."
                return Outcome(State.IDLE, Reason.PUSH_PENDING, message)
        await asyncio.sleep(seconds)
    raise AssertionError("unreachable: the last wait is None")


async def _delivered(
    held: Held, outcome: Outcome, equipment: Equipment, description: str
) -> Outcome:
    checkpoint, base_sha = held.checkpoint, held.session.base_sha
    nothing = replace(outcome, reason=outcome.reason or Reason.NO_CHANGES)
    if checkpoint is None or base_sha is None:
        return nothing
    ours = checkpoint_shas(held)
    if not await push(held, checkpoint, base_sha, ours, equipment):
        return nothing
    draft = outcome.state is not State.COMPLETED
    blocked = Refusals(held.log).all()
    await tell_pull(held, description, draft=draft, blocked=blocked, equipment=equipment)
    return outcome


async def push(
    held: Held, checkpoint: Checkpoint, base_sha: str, ours: set[str], equipment: Equipment
) -> bool:
    """Put the branch at *checkpoint*; False when there is nothing to push.

    Raises PushRejected when the branch stands at a commit that is none of *ours*, and that the
    checkpoint does not hold either.
    """
    if checkpoint.bundle is None:
        return False
    session, forge = held.session, equipment.forge
    tip = await forge.find_tip(held.actor, held.repository, session.head_ref)
    remote = await forge.remote(held.actor, held.repository)
    mirror = await equipment.mirrors.holding(held.repository.id, remote, base_sha)
    work = Work(checkpoint.bundle, mirror, base_sha, checkpoint.sha)
    with measured("push", metrics.PUSH):
        await equipment.publisher.deliver(
            work,
            head_ref=session.head_ref,
            remote=remote,
            expected_old=tip,
            theirs=None if tip in ours | {base_sha} else tip,
            inspect=await _protection(held, equipment),
        )
    branch = BranchArtifact(session.head_ref, session.base_ref)
    await equipment.ledger.add_artifact(session, branch)
    return True


async def _protection(held: Held, equipment: Equipment) -> Inspect | None:
    """What keeps secrets from the forge, whoever has committed them; None where that is off."""
    told = await equipment.checks(held.repository)
    if not (told.tools.secret_scanning and told.block_secrets):
        return None
    mask = Mask((await equipment.exposed(held.repository)).masked)
    find = leaks.Finder().find

    async def inspect(piece: str) -> None:
        if found := await checks.secrets_in(piece, mask, find):
            shown = "; ".join(dict.fromkeys(found[:SECRETS_SHOWN]))
            raise PushRejected(
                f"Not pushed, because what is committed stays: {shown}. A line that is none may "
                f"end in a comment `{leaks.ALLOWED}`.",
                permanent=True,
            )

    return inspect


async def tell_pushed(held: Held, equipment: Equipment) -> None:
    """Name as artifacts what of this session is on the forge already."""
    forge, session = equipment.forge, held.session
    if held.checkpoint is None or held.checkpoint.bundle is None:
        return
    tip = await forge.find_tip(held.actor, held.repository, session.head_ref)
    if tip not in checkpoint_shas(held):
        return
    branch = BranchArtifact(session.head_ref, session.base_ref)
    await equipment.ledger.add_artifact(session, branch)
    found = await forge.find_pull(held.actor, held.repository, session.head_ref, session.base_ref)
    if found is not None:
        await equipment.ledger.add_artifact(session, PullArtifact(found.id, found.number))


async def tell_pull(
    held: Held,
    description: str,
    *,
    draft: bool,
    blocked: Sequence[Blocked],
    equipment: Equipment,
) -> None:
    """Open the pull request that was asked for, or bring it up to date.

    One that somebody else has opened on the branch keeps its title, its words and its state, and
    gets a section of the task's. Where somebody has closed the task's own, no other is opened
    against that. Raises PullRejected where one was asked for and the forge will not have it.
    """
    ref = held.session.head_ref
    try:
        found = await _proposed(held, description, draft, blocked, equipment)
    except ForgeRefused as error:
        if not held.session.create_pull_request:
            log.info("pull.not_told", session_id=held.session.id, error=str(error))
            return
        told = str(error).rstrip(".")
        said = f"The work is on the branch {ref!r}, and its pull request was not taken: {told}."
        raise PullRejected(f"{said} {_WAY_OUT}" if error.forbidden else said) from error
    if found is not None:
        await equipment.ledger.add_artifact(held.session, PullArtifact(found.id, found.number))


async def _proposed(
    held: Held,
    description: str,
    draft: bool,
    blocked: Sequence[Blocked],
    equipment: Equipment,
) -> Pull | None:
    actor, repository, session, forge = held.actor, held.repository, held.session, equipment.forge
    found = await forge.find_pull(actor, repository, session.head_ref, session.base_ref)
    if found is None and await _closed(held, equipment):
        return None
    if not session.create_pull_request:
        return found
    log_url = equipment.log_url(held)
    body = words.pull_body(held, description, log_url, blocked, Checked(held.log).results)
    with measured("pull_request", metrics.PULL):
        if found is None:
            title, assignee = words.pull_title(held, description), actor.account.login
            new = NewPull(title, body, session.head_ref, session.base_ref, draft, assignee)
            return await forge.open_pull(actor, repository, new)
        change = PullChange(body=words.with_section(found.body, body, session.task_id))
        if words.is_own(found.body, session.task_id):
            change = PullChange(body=words.renewed(found.body, body), draft=draft)
        return await forge.update_pull(actor, repository, found.number, change)


async def _closed(held: Held, equipment: Equipment) -> bool:
    """Whether the newest of the task's own pull requests was closed without being merged."""
    own = [made.number for made in held.artifacts if isinstance(made, PullArtifact)]
    actor, repository = held.actor, held.repository
    return bool(own) and await equipment.forge.was_closed(actor, repository, own[-1])
