"""One run, from the prompt to the pull request: `prepare`, `turn` until the agent ends, `deliver`.

Each can be repeated: after a crash another worker calls it again with what the ledger holds. What
is delivered is the
last checkpoint, so that neither the sandbox nor its machine is needed for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from journeyman.agent.conversation import Conversation
from journeyman.agent.loop import Verdict
from journeyman.agent.loop import turn as agent_turn
from journeyman.agent.tools import Toolbox, tools_for
from journeyman.domain.artifacts import BranchArtifact, PullArtifact
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.held import Held
from journeyman.domain.sessions import Reason, State
from journeyman.forge import Forge, ForgeError, NewPull, PullChange
from journeyman.llm import Model, Models, UnknownModel
from journeyman.runner import words
from journeyman.runner.ledger import Ledger
from journeyman.runner.outcome import Outcome, Stop, failed, outcome_of
from journeyman.sandbox import Limits, Sandbox, SandboxBackend, SandboxSpec
from journeyman.workspace import checkout
from journeyman.workspace.mirror import Mirrors
from journeyman.workspace.publish import Publisher

DELIVERED = frozenset({State.COMPLETED, State.TIMED_OUT})
"""Ends after which the work is pushed; after the others it is kept as a patch, beside what was
pushed before."""


@dataclass(frozen=True)
class Equipment:
    """What runs work with: the same for all runs of a process."""

    ledger: Ledger
    forge: Forge
    mirrors: Mirrors
    publisher: Publisher
    sandboxes: SandboxBackend
    limits: Limits
    models: Models
    workspaces: Path
    """Holds a directory per session."""
    public_url: str

    def log_url(self, held: Held) -> str:
        return f"{self.public_url}/{held.repository.full_name}/agents/tasks/{held.session.task_id}"


@dataclass
class Run:
    """The live parts of one run in one process."""

    held: Held
    equipment: Equipment
    mirror: Path
    base_sha: str
    box: Sandbox
    model: Model
    conversation: Conversation
    checkpoint: Checkpoint | None
    description: str = ""
    """What the pull request says, as the agent last told it."""

    async def emit(self, new: Sequence[NewEvent]) -> Sequence[Event]:
        return await self.equipment.ledger.append(self.held.session, new)

    def publish(self, entry: NewEvent) -> None:
        self.equipment.ledger.publish(self.held.session, entry)

    def hear(self, events: Sequence[Event]) -> None:
        """Take what was logged from outside the agent's loop into the conversation."""
        for event in events:
            self.conversation.apply(event)

    @property
    def trailers(self) -> tuple[str, ...]:
        return words.trailers(self.held.actor.account, self.equipment.log_url(self.held))


async def prepare(held: Held, equipment: Equipment) -> Run:
    """A running sandbox with the working tree as it was left, and the conversation so far.

    The session may have ended meanwhile: `Run.held.session.ended`.
    """
    model = _model(held, equipment)
    base_sha = held.session.base_sha or await _start_commit(held, equipment)
    remote = await equipment.forge.remote(held.actor, held.repository)
    mirror = await equipment.mirrors.refresh(held.repository.id, remote)
    box = await equipment.sandboxes.start(_spec(held, mirror, equipment))
    run = Run(
        held, equipment, mirror, base_sha, box, model, Conversation.fold(held.log), held.checkpoint
    )
    try:
        await _check_out(run)
        session, begun = await equipment.ledger.begin(held.session, base_sha, _started(run))
    except BaseException:
        await box.close()
        raise
    run.held = replace(held, session=session)
    run.hear(begun)
    return run


async def turn(run: Run) -> Verdict:
    """One reply of the model and the tools it asks for; the working tree is saved if they may
    have changed it."""
    run.hear(await run.equipment.ledger.drain(run.held.session))
    verdict = await agent_turn(
        run.conversation, model=run.model, tools=_toolbox(run), emit=run.emit, publish=run.publish
    )
    if run.conversation.touched:
        await save(run)
    return verdict


async def save(run: Run) -> None:
    """Keep the working tree as a checkpoint, if it differs from the one before."""
    last = run.checkpoint
    found = await checkout.snapshot(
        run.box,
        base_sha=run.base_sha,
        last=last,
        message=words.commit_message(run.held.task_name, run.trailers),
    )
    if found is not None:
        run.checkpoint = found
        run.hear(await run.equipment.ledger.save(run.held.session, found))


async def close(run: Run, *, keep: bool) -> None:
    """End the sandbox; with *keep*, save first what is in it, as far as that is still possible."""
    try:
        if keep:
            await run.box.kill_all()
            await save(run)
    finally:
        await run.box.close()


async def deliver(held: Held, outcome: Outcome, equipment: Equipment, *, description: str) -> bool:
    """Push the last checkpoint where *outcome* asks for it, and end the session.

    False when a user has sent a message meanwhile, and the session goes on.
    """
    if outcome.state in DELIVERED:
        try:
            outcome = await _delivered(held, outcome, equipment, description)
        except ForgeError as error:
            outcome = outcome_of(error)
    return await equipment.ledger.finish(
        held.session, outcome.state, reason=outcome.reason, message=outcome.message
    )


async def _delivered(
    held: Held, outcome: Outcome, equipment: Equipment, description: str
) -> Outcome:
    if held.checkpoint is None:
        return replace(outcome, reason=outcome.reason or Reason.NO_CHANGES)
    assert held.session.base_sha is not None
    remote = await equipment.forge.remote(held.actor, held.repository)
    mirror = await equipment.mirrors.refresh(held.repository.id, remote)
    await _push(held, held.checkpoint, held.session.base_sha, mirror, equipment)
    await _pull(held, equipment, description, draft=outcome.state is not State.COMPLETED)
    return outcome


async def _push(
    held: Held, checkpoint: Checkpoint, base_sha: str, mirror: Path, equipment: Equipment
) -> None:
    session = held.session
    await equipment.publisher.deliver(
        checkpoint,
        mirror=mirror,
        base_sha=base_sha,
        head_ref=session.head_ref,
        remote=await equipment.forge.remote(held.actor, held.repository),
    )
    await equipment.ledger.add_artifact(session, BranchArtifact(session.head_ref, session.base_ref))


async def _pull(held: Held, equipment: Equipment, description: str, *, draft: bool) -> None:
    """The pull request, where one was asked for or is open on the branch: opened, or brought up
    to date."""
    forge, session = equipment.forge, held.session
    found = await forge.find_pull(held.actor, held.repository, session.head_ref, session.base_ref)
    if found is None and not session.create_pull_request:
        return
    body = words.pull_body(held, description, equipment.log_url(held))
    if found is None:
        new = NewPull(words.pull_title(held), body, session.head_ref, session.base_ref, draft)
        found = await forge.open_pull(held.actor, held.repository, new)
    elif session.create_pull_request:
        change = PullChange(body=body, draft=draft)
        found = await forge.update_pull(held.actor, held.repository, found.number, change)
    await equipment.ledger.add_artifact(session, PullArtifact(found.id, found.number))


async def _report(run: Run, commit_message: str, description: str) -> str:
    """The agent's `report_progress`: commit, push, and tell the pull request."""
    run.description = description or run.description
    message = words.commit_message(commit_message, run.trailers)
    await checkout.commit_all(run.box, message)
    await save(run)
    if run.checkpoint is None:
        return "Nothing has changed yet, so nothing was committed."
    await _push(run.held, run.checkpoint, run.base_sha, run.mirror, run.equipment)
    await _pull(run.held, run.equipment, run.description, draft=True)
    return f"Pushed {run.checkpoint.sha[:12]} to {run.held.session.head_ref}."


def _toolbox(run: Run) -> Toolbox:
    async def report(commit_message: str, description: str) -> str:
        return await _report(run, commit_message, description)

    return tools_for(run.box, report_progress=report, allow_ask=True)


def _model(held: Held, equipment: Equipment) -> Model:
    try:
        return equipment.models.resolve(held.session.model)
    except UnknownModel as error:
        raise Stop(failed(Reason.MODEL_NOT_CONFIGURED, f"{error}.")) from error


async def _start_commit(held: Held, equipment: Equipment) -> str:
    session = held.session
    branch = session.head_ref if session.on_existing_branch else session.base_ref
    tip = await equipment.forge.find_tip(held.actor, held.repository, branch)
    if tip is None:
        raise Stop(
            failed(
                Reason.BASE_REF_NOT_FOUND,
                f"{held.repository.full_name} has no branch {branch!r} any more; "
                "start a task from one that exists.",
            )
        )
    return tip


def _spec(held: Held, mirror: Path, equipment: Equipment) -> SandboxSpec:
    return SandboxSpec(
        id=held.session.id,
        directory=equipment.workspaces / held.session.id,
        mirror=mirror,
        limits=equipment.limits,
        files={"/etc/gitconfig": checkout.gitconfig(words.AGENT_NAME, words.AGENT_EMAIL)},
    )


async def _check_out(run: Run) -> None:
    session = run.held.session
    await checkout.checkout(
        run.box, base_sha=run.base_sha, head_ref=session.head_ref, trailers=run.trailers
    )
    if run.checkpoint is not None:
        await checkout.restore(run.box, run.checkpoint, head_ref=session.head_ref)


def _started(run: Run) -> NewEvent:
    session = run.held.session
    if session.last_seq:
        return NewEvent(EventType.SESSION_RESUME, {"run": session.run_number})
    data = {
        "repository": run.held.repository.full_name,
        "baseRef": session.base_ref,
        "baseSha": run.base_sha,
        "headRef": session.head_ref,
        "model": run.model.id,
        "sandbox": dict(run.box.enforced),
    }
    return NewEvent(EventType.SESSION_START, data)
