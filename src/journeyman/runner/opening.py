"""From the checkout to the first turn: what is in use is told, and the setup steps are run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from journeyman.agent import moments
from journeyman.agent.customisation.hooks import Moment
from journeyman.agent.customisation.setup import Setup
from journeyman.agent.hooks import Hooks
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.held import Held
from journeyman.domain.hygiene import visible
from journeyman.domain.sessions import Reason
from journeyman.runner import setup
from journeyman.runner.equipment import Equipment, Exposed
from journeyman.sandbox import Provision, Sandbox


def has_started(held: Held) -> bool:
    """Whether a worker had it before; one that was only paused in the queue has a log, too."""
    return any(event.type is EventType.SESSION_START for event in held.log)


def _attempt(log: Iterable[Event], run: int) -> int:
    """How often the run is begun now: again after each worker that died or handed it over."""
    begun = Counter(
        event.data.get("run", 1)
        for event in log
        if event.type in (EventType.SESSION_START, EventType.SESSION_RESUME)
    )
    return begun[run] + 1


def has_begun_anew(log: Iterable[Event]) -> bool:
    """Whether the task's branch was gone when the session began."""
    return any(
        event.data.get("begunAnew") for event in log if event.type is EventType.SESSION_START
    )


def has_turned(held: Held) -> bool:
    """Whether its agent has begun to work."""
    return any(event.type is EventType.TURN_START for event in held.log)


def started(
    held: Held,
    base_sha: str,
    box: Sandbox,
    model_id: str,
    agent_id: str | None,
    *,
    anew: bool,
    unchanged: bool,
) -> NewEvent:
    """*anew*: the branch that the task had pushed is gone; *unchanged*: no change of files was
    lost with the former worker."""
    session = held.session
    if has_started(held):
        run = session.run_number
        told = {"run": run, "attempt": _attempt(held.log, run)}
        return NewEvent(EventType.SESSION_RESUME, told, {"unchanged": True} if unchanged else None)
    data: dict[str, Any] = {
        "repository": held.repository.full_name,
        "baseRef": session.base_ref,
        "baseSha": base_sha,
        "headRef": session.head_ref,
        "model": model_id,
        "sandbox": dict(box.enforced),
    }
    if agent_id is not None:
        data["customAgent"] = agent_id
    if anew:
        data["begunAnew"] = True
    # The work of the session before is not kept as long as its log.
    if held.checkpoint is not None and (why := _refusal(held.earlier)):
        data["refused"] = why
    return NewEvent(EventType.SESSION_START, data)


def told_anew(held: Held, begun: Sequence[Event]) -> list[NewEvent]:
    """*begun*: the log since this run has begun."""
    if not has_begun_anew(begun):
        return []
    session = held.session
    message = (
        f"The branch {session.head_ref!r} is gone; it is begun anew from {session.base_ref!r}. "
        "What was not merged is in the patches of the earlier sessions."
    )
    return [NewEvent(EventType.SESSION_INFO, {"message": message, "infoType": "begun_anew"})]


def _refusal(earlier: Iterable[Event]) -> str:
    """What the session before was told when its push was refused; empty: it ended otherwise."""
    ends = [event.data for event in earlier if event.type is EventType.SESSION_STATE]
    if not ends or ends[-1].get("stateReason") != Reason.PUSH_REJECTED:
        return ""
    return str(ends[-1].get("message") or "")


def refused(log: Iterable[Event]) -> str:
    """Why the forge did not take the work that the session began with; empty: it has none."""
    starts = (event.data for event in log if event.type is EventType.SESSION_START)
    return next((str(data["refused"]) for data in starts if "refused" in data), "")


def told_refused(begun: Sequence[Event]) -> list[NewEvent]:
    """*begun*: the log since this run has begun."""
    if not refused(begun):
        return []
    message = "The session begins with the work of the one before, whose push was refused."
    return [NewEvent(EventType.SESSION_INFO, {"message": message, "infoType": "push_rejected"})]


async def tell(held: Held, told: Sequence[NewEvent], equipment: Equipment) -> list[Event]:
    return await equipment.ledger.append(held.session, told) if told else []


async def set_up(
    held: Held,
    wanted: Setup | None,
    box: Sandbox,
    *,
    given: Provision,
    exposed: Exposed,
    equipment: Equipment,
) -> list[Event]:
    """Run the setup steps under their own firewall rules, unless this home has them behind it."""
    if wanted is None or await setup.is_done(box):
        return []
    made = list[Event]()

    async def emit(new: Sequence[NewEvent]) -> None:
        made.extend(await equipment.ledger.append(held.session, new))

    if given.setup is not None:
        box.change_network(given.setup)
    await setup.run(
        wanted,
        box,
        github=_github(held),
        secrets=exposed.env,
        emit=emit,
        most_seconds=held.session.limits.seconds,
    )
    if given.network is not None:
        box.change_network(given.network)
    return made


async def fire_hooks(held: Held, hooks: Hooks, equipment: Equipment) -> list[Event]:
    """Tell hooks of the beginning; what they add is the first that the agent hears."""
    made = list[Event]()
    if has_turned(held):
        return made

    async def append(*new: NewEvent) -> None:
        made.extend(await equipment.ledger.append(held.session, new))

    prompt = held.session.prompt
    answers = await hooks.fire(Moment.SESSION_START, append, source="new", initialPrompt=prompt)
    if context := moments.context(answers):
        await append(moments.message(context))
    await hooks.fire(Moment.USER_PROMPT_SUBMITTED, append, prompt=prompt)
    seen = visible(prompt)
    await hooks.fire(Moment.USER_PROMPT_TRANSFORMED, append, prompt=prompt, transformedPrompt=seen)
    return made


def _github(held: Held) -> dict[str, str]:
    session, repository = held.session, held.repository
    return {
        "actor": held.actor.account.login,
        "event_name": "dynamic",
        "ref": f"refs/heads/{session.base_ref}",
        "ref_name": session.base_ref,
        "repository": repository.full_name,
        "repository_owner": repository.full_name.partition("/")[0],
        "sha": session.base_sha or "",
    }
