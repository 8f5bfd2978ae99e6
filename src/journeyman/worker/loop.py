"""Carries the engine's runs: keeps their live parts from step to step, and turns every end into an
outcome.

A step never raises: what goes wrong is an outcome, which the next step delivers. Losing the
session to another worker ends it here without a word; losing the database is waited out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import copy_context

import structlog

from journeyman.agent.conversation import Conversation
from journeyman.agent.verdict import CONTINUE, Kind, Verdict
from journeyman.domain.errors import DatabaseLost
from journeyman.domain.sessions import LeaseLost, Reason, State
from journeyman.engine.executor import Steps
from journeyman.engine.executor import Verdict as Next
from journeyman.runner import limits
from journeyman.runner import run as runner
from journeyman.runner.equipment import Equipment
from journeyman.runner.limits import seconds_left
from journeyman.runner.live import Run
from journeyman.runner.outcome import CANCELLED, COMPLETED, EXPECTED, Outcome, outcome_of
from journeyman.runner.prepare import prepare
from journeyman.sandbox import FileRefused, SandboxLost
from journeyman.service import rounds
from journeyman.service.ledger import Ledger
from journeyman.telemetry.carried import tell

log = structlog.get_logger()

WATCH_SECONDS = 0.25
"""How often the worker looks whether somebody wants one of its sessions to end, or to rest."""
AGAIN_SECONDS = 1.0
"""How long the worker waits before it looks again for a database, or a session, that it lost."""
PAUSE_SECONDS = 5.0
"""How long a turn may take to its end after a pause was asked for; then it is cut off."""
PAUSED = "A pause was asked for; what was running was stopped."
TURN: Next = {"next": "turn"}
END: Next = {"next": "end"}


def deliver_next(outcome: Outcome) -> Next:
    return {"next": "deliver", "outcome": outcome.to_json()}


Owns = Callable[[str, int], Awaitable[bool]]
"""Whether a run, by session and number, is this worker's in the engine's eyes."""


class Worker:
    def __init__(
        self,
        ledger: Ledger,
        equipment: Equipment,
        owns: Owns,
        *,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._pause_seconds = pause_seconds
        self._ledger = ledger
        self._owns = owns
        self._equipment = equipment
        self._open: dict[str, Run] = {}
        self._stepping: dict[str, asyncio.Task[Next]] = {}
        self._cancelled: set[str] = set()
        self._pausable: set[str] = set()
        """Those in a turn, which a pause may cut off."""
        self._paused: set[str] = set()
        """Those whose turn was cut off by one."""
        self._superseded: set[asyncio.Task[Next]] = set()
        self._watch: asyncio.Task[None] | None = None
        self._draining = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def steps(self) -> Steps:
        return Steps(self.prepare, self.turn, self.deliver)

    def start(self) -> None:
        self._watch = asyncio.create_task(
            rounds.every(WATCH_SECONDS, self._follow_wishes, "wishes")
        )

    async def drain(self, seconds: float) -> None:
        """Begin no more steps, and wait for the running ones and for what they have left to be
        saved: what they have done need not be done again by the worker that goes on."""
        self._draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
                saving = [run.saving for run in self._open.values() if run.saving is not None]
                if saving:
                    await asyncio.wait(saving)

    async def stop(self) -> None:
        """End what is still open; the log and the checkpoints let another worker go on with it."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        for session_id, task in list(self._stepping.items()):
            await self._abandon(session_id, task)
        for session_id in list(self._open):
            await self._close(session_id, keep=False)

    async def prepare(self, session_id: str, run_number: int, _last: Next) -> Next:
        async def step() -> Next:
            run = await self._run(session_id, run_number)
            return END if run is None else TURN

        return await self._guarded(session_id, run_number, step)

    async def turn(self, session_id: str, run_number: int, _last: Next) -> Next:
        async def step() -> Next:
            if session_id in self._paused:
                await self._interrupt(session_id, PAUSED)
            if await self._ledger.wants_pause(session_id):
                return await self._pause(session_id, run_number)
            run = await self._run(session_id, run_number)
            if run is None:
                return END
            self._pausable.add(session_id)
            try:
                verdict = await self._timed_turn(run)
            finally:
                self._pausable.discard(session_id)
            match verdict.kind:
                case Kind.CONTINUE:
                    return TURN
                case Kind.DONE:
                    return deliver_next(COMPLETED)
                case Kind.FAILED:
                    return deliver_next(Outcome(State.FAILED, verdict.reason, verdict.message))
                case Kind.WAITING:
                    await self._close(session_id, keep=True)
                    rests = await self._ledger.rest(run.held.session, State.WAITING_FOR_USER)
                    return END if rests else TURN

        return await self._guarded(session_id, run_number, step)

    async def deliver(self, session_id: str, run_number: int, last: Next) -> Next:
        outcome = Outcome.from_json(last["outcome"])

        async def step() -> Next:
            if not await self._ledger.is_due(session_id, run_number):
                return await self._leave(session_id)
            await self._close(session_id, keep=True, ending=outcome.state)
            held = await self._ledger.take(session_id)
            tell(task_id=held.session.task_id)
            if held.session.ended:
                return await self._leave(session_id)
            description = Conversation.fold(held.log).summary
            done = await runner.deliver(held, outcome, self._equipment, description=description)
            if not done:
                return TURN
            log.info("run.delivered", state=outcome.state, reason=outcome.reason)
            return await self._leave(session_id)

        cancellable = outcome.state is not State.CANCELLED
        following = await self._guarded(session_id, run_number, step, cancellable=cancellable)
        # A second delivery after a failed one only writes the failure down; a third would say the
        # same again.
        again = following.get("outcome", {}).get("state")
        return END if outcome.state is State.FAILED and again == State.FAILED else following

    async def _timed_turn(self, run: Run) -> Verdict:
        """A turn, cut off where the session's time is nearly up: what was running is stopped, and
        the work goes on from the log."""
        await runner.attend(run)
        try:
            async with asyncio.timeout(seconds_left(run.meter, run.held.session.limits)) as limit:
                return await runner.turn(run)
        except TimeoutError:
            if not limit.expired():
                raise
        await self._interrupt(run.held.session.id, limits.INTERRUPTED)
        return CONTINUE

    async def _interrupt(self, session_id: str, message: str) -> None:
        """Close a run whose turn was cut off, and keep its files: it goes on from the log."""
        self._paused.discard(session_id)
        run = self._open.get(session_id)
        if run is not None:
            await runner.interrupt(run, message)
            await self._close(session_id, keep=True)

    async def _pause(self, session_id: str, run_number: int) -> Next:
        if not await self._ledger.is_due(session_id, run_number):
            return await self._leave(session_id)
        await self._close(session_id, keep=True)
        held = await self._ledger.take(session_id)
        await self._ledger.rest(
            held.session, State.IDLE, reason=Reason.PAUSED, despite_messages=True
        )
        return END

    async def _run(self, session_id: str, run_number: int) -> Run | None:
        """The live run of a session, made again from the ledger when this process has none.
        None: there is nothing to do in it any more."""
        run = self._open.get(session_id)
        if run is not None:
            tell(task_id=run.held.session.task_id)
            return run
        if not await self._ledger.is_due(session_id, run_number):
            return None
        held = await self._ledger.take(session_id)
        tell(task_id=held.session.task_id)
        if held.session.ended:
            return None
        run = await prepare(held, self._equipment)
        if not run.held.session.at_work:
            await runner.close(run, keep=False)
            return None
        self._open[session_id] = run
        log.info("run.begun", resumed=bool(held.log))
        return run

    async def _close(self, session_id: str, *, keep: bool, ending: State | None = None) -> None:
        run = self._open.pop(session_id, None)
        if run is None:
            return
        with suppress(SandboxLost, FileRefused):
            await runner.close(run, keep=keep, ending=ending)

    async def _leave(self, session_id: str) -> Next:
        """Nothing is left to do here; once the session has ended, nothing is left of it either."""
        await self._close(session_id, keep=False)
        if await self._ledger.has_ended(session_id):
            await self._equipment.sandboxes.remove(self._equipment.workspace(session_id))
        return END

    async def _guarded(
        self,
        session_id: str,
        run_number: int,
        step: Callable[[], Awaitable[Next]],
        *,
        cancellable: bool = True,
    ) -> Next:
        if self._draining:
            # The engine gives the run to another worker when this process has left it.
            await asyncio.Event().wait()
        former = self._stepping.pop(session_id, None)
        if former is not None:
            # This process was taken for dead and has claimed its own run again, or the session has
            # come to rest and been resumed while its former run was still being prepared.
            self._superseded.add(former)
            await self._abandon(session_id, former)
        self._running += 1
        self._idle.clear()
        # Kept, since what the step has told of itself for the log (its task's id) is in there.
        context = copy_context()
        task = asyncio.create_task(self._persistent(session_id, run_number, step), context=context)
        if cancellable:
            self._stepping[session_id] = task
        try:
            return await task
        except asyncio.CancelledError:
            following = self._after_cancel(session_id, task)
            if following is not None:
                return following
            await self._abandon(session_id, task)
            raise
        except EXPECTED as error:
            context.run(log.info, "run.ended", session_id=session_id, error=str(error))
            return deliver_next(outcome_of(error))
        except Exception as error:  # noqa: BLE001 - one session's bug must not end the others
            context.run(log.exception, "run.failed", session_id=session_id)
            return deliver_next(outcome_of(error))
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()
            if self._stepping.get(session_id) is task:
                del self._stepping[session_id]
            self._cancelled.discard(session_id)
            self._superseded.discard(task)

    def _after_cancel(self, session_id: str, task: asyncio.Task[Next]) -> Next | None:
        """What follows when this worker itself has cancelled *task*; None: the engine has."""
        if task.cancelled() and session_id in self._cancelled:
            return deliver_next(CANCELLED)
        if task in self._superseded:
            return END
        return TURN if task.cancelled() and session_id in self._paused else None

    async def _persistent(
        self, session_id: str, run_number: int, step: Callable[[], Awaitable[Next]]
    ) -> Next:
        """Repeat *step* from the ledger while the run is this worker's.

        A former holder may have taken the session once more before it noticed that it is one.
        """
        while True:
            try:
                return await step()
            except (DatabaseLost, LeaseLost) as error:
                log.warning("run.interrupted", session_id=session_id, error=repr(error))
                await self._close(session_id, keep=False)
                await asyncio.sleep(AGAIN_SECONDS)
            with suppress(DatabaseLost):
                if not await self._owns(session_id, run_number):
                    return await self._leave(session_id)

    async def _abandon(self, session_id: str, task: asyncio.Task[Next]) -> None:
        """The engine takes the run away: stop at once, keep nothing that a successor could be
        writing too."""
        task.cancel()
        with suppress(asyncio.CancelledError, *EXPECTED):
            await task
        await self._close(session_id, keep=False)

    async def _follow_wishes(self) -> None:
        if not self._stepping and not self._pausable:
            return
        for session_id in await self._ledger.wanting_cancel(list(self._stepping)):
            self._cancelled.add(session_id)
            task = self._stepping.pop(session_id, None)
            if task is not None:
                task.cancel()
        for session_id in await self._ledger.wanting_pause(
            list(self._pausable), self._pause_seconds
        ):
            if session_id in self._pausable and session_id in self._stepping:
                self._pausable.discard(session_id)
                self._paused.add(session_id)
                self._stepping[session_id].cancel()
