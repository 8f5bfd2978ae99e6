"""One run in its middle and at its end: `turn` until the agent ends, `close`, `deliver`.

Each can be repeated: after a crash another worker calls it again with what the ledger holds. What
is delivered is the last checkpoint, so that neither the sandbox nor its machine is needed for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from journeyman.agent import moments
from journeyman.agent.customisation.hooks import Moment
from journeyman.agent.loop import Means
from journeyman.agent.loop import turn as agent_turn
from journeyman.agent.masking import Mask
from journeyman.agent.tools import Toolbox, ToolError, tools_for
from journeyman.agent.verdict import CONTINUE, Kind, Verdict
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.held import Held
from journeyman.domain.sessions import DELIVERED, Reason, State
from journeyman.forge import ForgeError, PullRejected, PushRejected
from journeyman.llm import SCRIPT, Model, UnknownModel
from journeyman.runner import (
    checks,
    delivery,
    leaks,
    limits,
    manifests,
    saving,
)
from journeyman.runner.equipment import Checks, Equipment
from journeyman.runner.live import Run
from journeyman.runner.masked import Masked
from journeyman.runner.outcome import Outcome, Stop
from journeyman.workspace import BundleRefused, FileChange, WorkspaceError, checkout

log = structlog.get_logger()

ENDINGS = {State.COMPLETED: "complete", State.FAILED: "error", State.TIMED_OUT: "timeout"}
"""Reasons that hooks are told; a user who cancels does not wait for hooks."""
TELL_PUSHED_SECONDS = 1.0
"""How long a cancelled session asks the forge what of its delivery has arrived."""


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
        run.saving = asyncio.create_task(saving.try_to_save(run))
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
    await saving.try_to_save(run)
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


async def close(run: Run, *, keep: bool, ending: State | None = None) -> None:
    """End the sandbox; with *keep*, save first what is in it.

    *ending*: what the session is about to become. What is then delivered is saved as a commit that
    tells what it is, and only then WorkspaceError when it cannot be: nothing less may be delivered.
    Hooks are told; what they write is not kept. Who cancels does not wait for a mirror either."""
    try:
        if run.saving is not None:
            # Whatever became of it: here it is either done again, or left to another worker.
            run.saving.cancel()
            await asyncio.gather(run.saving, return_exceptions=True)
        if run.external is not None:
            await run.external.close()
        if keep:
            await run.box.kill_all()
            mend = ending is not State.CANCELLED
            await saving.keep(run, commit=ending in DELIVERED, mend=mend)
        if ending in ENDINGS:
            await run.hooks.fire(Moment.SESSION_END, run.append, reason=ENDINGS[ending])
    finally:
        await asyncio.gather(run.box.close(), run.servers.close())
        await run.jobs.close()


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
        await saving.save(run)
        await _refuse_secrets(run)
        await checkout.commit_all(run.box, commit_message, trailers=run.trailers)
        await saving.save(run)
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
