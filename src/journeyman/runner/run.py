"""One run in its middle and at its end: `turn` until the agent ends, `close`, `deliver`.

Each can be repeated: after a crash another worker calls it again with what the ledger holds. What
is delivered is the last checkpoint, so that neither the sandbox nor its machine is needed for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from journeyman.agent import moments
from journeyman.agent.conversation import Conversation
from journeyman.agent.customisation.hooks import Moment
from journeyman.agent.customisation.profiles import Profile
from journeyman.agent.customisation.repository import Customisation
from journeyman.agent.hooks import Hooks
from journeyman.agent.loop import Means
from journeyman.agent.loop import turn as agent_turn
from journeyman.agent.masking import Mask
from journeyman.agent.tools import Helper, Jobs, Toolbox, ToolError, tools_for
from journeyman.agent.verdict import CONTINUE, Kind, Verdict
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.held import Held
from journeyman.domain.limits import Meter
from journeyman.domain.sessions import Reason, State
from journeyman.forge import ForgeError, PullRejected, PushRejected
from journeyman.llm import SCRIPT, Model, UnknownModel
from journeyman.runner import (
    checks,
    delivery,
    leaks,
    limits,
    looks,
    manifests,
    words,
)
from journeyman.runner.checks import Checked
from journeyman.runner.equipment import Checks, Equipment
from journeyman.runner.external import Engaged
from journeyman.runner.masked import Masked
from journeyman.runner.outcome import Outcome, Stop
from journeyman.runner.refusals import Refusals
from journeyman.runner.servers import Servers
from journeyman.sandbox import Sandbox
from journeyman.workspace import BundleRefused, FileChange, MirrorBroken, WorkspaceError, checkout

log = structlog.get_logger()

DELIVERED = frozenset({State.COMPLETED, State.TIMED_OUT})
"""Ends after which the work is pushed; after the others it is kept as a patch, beside what was
pushed before."""
ENDINGS = {State.COMPLETED: "complete", State.FAILED: "error", State.TIMED_OUT: "timeout"}
"""Reasons that hooks are told; a user who cancels does not wait for hooks."""
TELL_PUSHED_SECONDS = 1.0
"""How long a cancelled session asks the forge what of its delivery has arrived."""


@dataclass
class Run:
    """The live parts of one run in one process."""

    held: Held
    equipment: Equipment
    base_sha: str
    box: Sandbox
    another_box: Callable[[], Awaitable[Sandbox | None]]
    """One over the same files, once `box` is closed, with the mirror built again; None when the
    mirror is whole, or cannot be built."""
    jobs: Jobs
    model: Model
    conversation: Conversation
    helpers: Mapping[str, Helper]
    """The sub-agents that it may call."""
    customisation: Customisation
    refusals: Refusals
    profile: Profile | None
    """The custom agent that was asked for."""
    mask: Mask
    servers: Servers
    """The MCP servers."""
    hooks: Hooks
    checkpoint: Checkpoint | None
    """Without its bundle, which is in the store."""
    ours: set[str]
    """Where the branch may stand because of this session: a push over anything else is refused."""
    meter: Meter
    checked: Checked
    saving: asyncio.Task[None] | None = None
    """Keeps the files of the last turn while the model is asked for the next one."""
    external: Engaged | None = None
    """The agent of others that does the work, in place of our own."""
    toolbox: Toolbox | None = None
    newest: Event | None = None
    """Of the log."""
    description: str = ""
    """What the pull request says, as the agent last told it."""

    async def emit(self, new: Sequence[NewEvent]) -> Sequence[Event]:
        if any(entry.type is EventType.MESSAGE for entry in new):
            # What the reply asks for changes the files again; and whoever reads it in the log may
            # rely on what came before it.
            await self.saved()
        made = await self.equipment.ledger.append(self.held.session, new)
        for event in made:
            self._note(event)
        return made

    async def append(self, *new: NewEvent) -> None:
        """To the log, and to the conversation."""
        self.hear(await self.equipment.ledger.append(self.held.session, new))

    def publish(self, entry: NewEvent) -> None:
        self.equipment.ledger.publish(self.held.session, entry)

    def hear(self, events: Sequence[Event]) -> None:
        """Take what was logged from outside the agent's loop into the conversation."""
        for event in events:
            self.conversation.apply(event)
            self._note(event)

    def _note(self, event: Event) -> None:
        self.newest = event
        if self.external is not None:
            self.external.at_work.note(event)
        self.meter.apply(event)
        self.checked.apply(event)
        self.hooks.note([event])

    async def saved(self) -> None:
        """Wait for what is being saved. Raises what the saving does: the run is not ours, …"""
        if self.saving is not None:
            await self.saving
            self.saving = None

    @property
    def trailers(self) -> tuple[str, ...]:
        return trailers(self.held, self.equipment)


async def attend(run: Run) -> None:
    """Before each turn: what users have sent, and what is left of the limits. Raises Stop at one.

    Short, and never cut off by the time limit: a warning that could not be written would be tried
    for ever.
    """
    limits_ = run.held.session.limits
    run.hear(await run.equipment.ledger.drain(run.held.session))
    _stop_at(limits.stop(run.meter, limits_))
    if (warning := limits.warning(run.meter, limits_)) is not None:
        run.hear(await run.equipment.ledger.append(run.held.session, [warning]))


async def turn(run: Run) -> Verdict:
    """One reply of the model and the tools it asks for; if they may have changed the working tree,
    it is saved while the next reply is asked for. Raises Stop at a limit."""
    limits_ = run.held.session.limits
    verdict = await (run.external.at_work.turn() if run.external else _own_turn(run))
    await _tell_news(run)
    if run.conversation.touched:
        await run.saved()
        run.saving = asyncio.create_task(_try_to_save(run))
    if verdict.kind is Kind.DONE:
        _stop_at(limits.stop(run.meter, limits_, ended=True))
        if not await _goes_on_for_hooks(run):
            await _check(run)
        return run.conversation.end or CONTINUE
    return verdict


async def _own_turn(run: Run) -> Verdict:
    means = Means(
        _model(run),
        _toolbox(run),
        run.emit,
        run.publish,
        run.customisation.scoped,
        mask=run.mask,
        instead=lambda model_id: run.equipment.models.instead(model_id, run.held.session.model),
        hooks=run.hooks,
    )
    return await agent_turn(run.conversation, means)


async def _goes_on_for_hooks(run: Run) -> bool:
    """Tell hooks that the agent is about to end; whether one makes it go on."""
    if not run.hooks.listen(Moment.AGENT_STOP):
        return False
    forced = run.conversation.forced
    _, again = await moments.stopping(
        run.hooks,
        run.append,
        Moment.AGENT_STOP,
        forced=forced,
        stopReason="end_turn",
        stop_hook_active=forced > 0,
    )
    await run.saved()
    await _try_to_save(run)
    if again is not None:
        await run.append(again)
    return again is not None


async def _check(run: Run) -> None:
    """Check what is about to be delivered; what is wrong with it becomes a message to the agent."""
    await run.saved()
    saved = run.checkpoint
    if saved is None or not checks.due(run.checked, saved.sha, run.base_sha):
        return
    told = await run.equipment.checks(run.held.repository)
    work = checks.Work(
        task=run.held.session.prompt,
        diff=await checkout.diff(run.box, run.base_sha, saved.sha),
        sha=saved.sha,
        can_run=run.external is not None
        or ("bash" in _toolbox(run).names and run.model.id != SCRIPT),
        manifests=await _manifests(run, told, saved.sha),
    )
    reviewer = _reviewer(run, told)
    made = await checks.check(work, run.checked, told.tools, run.mask, reviewer, told.advisories)
    run.hear(await run.equipment.ledger.append(run.held.session, made))


async def _manifests(run: Run, told: Checks, sha: str) -> Sequence[FileChange] | None:
    if told.advisories is None or not told.tools.dependency_vulnerability_checks:
        return ()
    return await checkout.changed_files(run.box, run.base_sha, sha, manifests.PATHS)


def _reviewer(run: Run, told: Checks) -> Model | None:
    if not told.review_model:
        return None
    try:
        return run.equipment.models.resolve(told.review_model)
    except UnknownModel:
        return None


def _stop_at(outcome: Outcome | None) -> None:
    if outcome is not None:
        raise Stop(outcome)


async def interrupt(run: Run, message: str) -> None:
    """The turn was cut off: say so. The log is ahead of the run then; it must be made again from
    it."""
    told = NewEvent(EventType.SESSION_INFO, {"message": message})
    await run.equipment.ledger.append(run.held.session, [told])


async def _tell_news(run: Run) -> None:
    blocked = (*run.box.blocked(), *run.servers.blocked())
    if news := [*run.refusals.news(blocked), *run.servers.news()]:
        await run.emit(news)


async def _try_to_save(run: Run) -> None:
    """A tree that cannot be kept is no reason to stop, nor to end otherwise: it is told."""
    try:
        await save(run)
    except WorkspaceError as error:
        await _tell_unsaved(run, error)


async def _tell_unsaved(run: Run, error: Exception) -> None:
    message = f"The working tree was not saved this time: {error}"
    await run.emit([NewEvent(EventType.SESSION_INFO, {"message": message})])


async def save(run: Run) -> None:
    """Keep the working tree as a checkpoint, if it differs from the one before."""
    newest = run.newest
    found = await checkout.snapshot(run.box, base_sha=run.base_sha, last=run.checkpoint)
    if found is None:
        run.conversation.saved()
        session = run.held.session
        if newest is not None:
            looks.tell(run.equipment.workspace(session.id), session.fence, newest)
        return
    made = await run.equipment.ledger.save(run.held.session, found)
    run.checkpoint = found.without_bundle
    run.ours.add(found.sha)
    run.hear(made)


async def close(run: Run, *, keep: bool, commit: bool = False, ending: str = "") -> None:
    """End the sandbox; with *keep*, save first what is in it, and with *commit* as a commit that
    tells what it is. Only with that, WorkspaceError when it cannot be saved: nothing less may be
    delivered. *ending*: why the session ends, for its hooks; what they write is not kept."""
    try:
        if run.saving is not None:
            # Whatever became of it: here it is either done again, or left to another worker.
            run.saving.cancel()
            await asyncio.gather(run.saving, return_exceptions=True)
        if run.external is not None:
            await run.external.close()
        if keep:
            await run.box.kill_all()
            await _keep(run, commit=commit)
        if ending:
            await run.hooks.fire(Moment.SESSION_END, run.append, reason=ending)
    finally:
        await asyncio.gather(run.box.close(), run.servers.close())
        await run.jobs.close()


async def _keep(run: Run, *, commit: bool) -> None:
    """What is in the sandbox that is about to end; what a broken mirror does not let git read, in
    another one."""
    try:
        try:
            await _save_all(run, commit=commit)
        except MirrorBroken as error:
            log.warning("mirror.suspected", session_id=run.held.session.id, error=str(error))
            await run.box.close()
            if (another := await run.another_box()) is None:
                raise
            run.box = another
            await _save_all(run, commit=commit)
    except WorkspaceError as error:
        if commit:
            raise
        await _tell_unsaved(run, error)


async def _save_all(run: Run, *, commit: bool) -> None:
    if commit:
        await checkout.commit_all(run.box, run.held.task_name, trailers=run.trailers)
    await save(run)


async def deliver(held: Held, outcome: Outcome, equipment: Equipment, *, description: str) -> bool:
    """Push the last checkpoint where *outcome* asks for it, and end the session or let it rest.

    False when a user has sent a message meanwhile, and the session goes on.
    """
    if outcome.state is State.CANCELLED:
        await _tell_pushed(held, equipment)
    exposed = await equipment.exposed(held.repository)
    equipment = replace(equipment, ledger=Masked(equipment.ledger, Mask(exposed.masked)))
    if outcome.state in DELIVERED:
        outcome = await delivery.carried_out(held, outcome, equipment, description)
    if outcome.state is State.IDLE:
        # Who is out of its budget is given more by a message; a forge that is away is not.
        return await equipment.ledger.rest(
            held.session,
            outcome.state,
            reason=outcome.reason,
            message=outcome.message,
            despite_messages=outcome.reason is not Reason.BUDGET_EXHAUSTED,
        )
    return await equipment.ledger.finish(
        held.session, outcome.state, reason=outcome.reason, message=outcome.message
    )


async def _tell_pushed(held: Held, equipment: Equipment) -> None:
    """A delivery that was cut off may have reached the forge; nobody waits long to hear so."""
    try:
        async with asyncio.timeout(TELL_PUSHED_SECONDS):
            await delivery.tell_pushed(held, equipment)
    except (TimeoutError, ForgeError) as error:
        log.info("run.delivery_unknown", session_id=held.session.id, error=repr(error))


async def _report(run: Run, commit_message: str, description: str) -> str:
    """The agent's `report_progress`: commit, push, and tell the pull request."""
    commit_message, description = run.mask.text(commit_message), run.mask.text(description)
    try:
        await save(run)
        await _refuse_secrets(run)
        await checkout.commit_all(run.box, commit_message, trailers=run.trailers)
        await save(run)
    except WorkspaceError as error:
        raise ToolError(f"Not committed: {error}") from error
    saved = await run.equipment.ledger.kept(run.held.session)
    try:
        pushed = saved is not None and await delivery.push(
            run.held, saved, run.base_sha, run.ours, run.equipment
        )
        if saved is None or not pushed:
            return "Nothing has changed yet, so nothing was committed."
    except PushRejected as error:
        raise ToolError(f"Committed, but not pushed: {error} {_rewriting(run)}") from error
    except (ForgeError, BundleRefused) as error:
        raise ToolError(f"Committed, but not pushed: {error}") from error
    told = f"Committed and pushed {saved.sha[:12]} to {run.held.session.head_ref}."
    await _tell_news(run)
    blocked = run.refusals.all()
    try:
        await delivery.tell_pull(
            run.held, description, draft=True, blocked=blocked, equipment=run.equipment
        )
    except PullRejected as error:
        return f"{told} {error} You can do nothing about that: go on."
    except ForgeError as error:
        return f"{told} The pull request is brought up to date later: {error}"
    return told


def _rewriting(run: Run) -> str:
    return (
        "Where that is about what was committed, you may rewrite those commits: "
        f"`git reset --soft {run.base_sha}`, mend it, and report again."
    )


async def _refuse_secrets(run: Run) -> None:
    """What is committed stays in the history, so that is looked at before."""
    if run.checkpoint is None:
        return
    told = await run.equipment.checks(run.held.repository)
    if not told.tools.secret_scanning:
        return
    diff = await checkout.diff(run.box, run.base_sha, run.checkpoint.sha)
    if found := await checks.secrets_in(diff or "", run.mask):
        raise ToolError(
            f"Not committed: {'; '.join(found)}. Take it out; a line that is none may end in "
            f"a comment `{leaks.ALLOWED}`."
        )


def _model(run: Run) -> Model:
    """The one that the log says, which changes when another takes over."""
    took_over = run.conversation.model_id
    if took_over is not None and took_over != run.model.id:
        run.model = run.equipment.models.resolve(took_over)
    return run.model


def _toolbox(run: Run) -> Toolbox:
    """Made once in a run: to describe all tools takes longer than the rest of a step."""
    if run.toolbox is None:
        run.toolbox = _made_toolbox(run)
    return run.toolbox


def _made_toolbox(run: Run) -> Toolbox:
    async def report(commit_message: str, description: str) -> str:
        return await _report(run, commit_message, description)

    tools = tools_for(
        run.box,
        run.jobs,
        report_progress=report,
        allow_ask=True,
        helpers=run.helpers,
        skills=run.customisation.skills,
        more=run.servers.tools,
    )
    return tools if run.profile is None else tools.only(run.profile.allows)


def trailers(held: Held, equipment: Equipment) -> tuple[str, ...]:
    return words.trailers(held.actor.account, equipment.log_url(held), equipment.forge.noreply)
