"""What a worker writes down about the session it holds. Every write is fenced: once another worker
has taken the
session, nothing of the former one arrives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from journeyman.domain.artifacts import Artifact
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.held import Held
from journeyman.domain.principals import Actor
from journeyman.domain.sessions import ACTIVE, LeaseLost, Reason, Run, Session, State
from journeyman.domain.usage import Spent
from journeyman.service.changes import Changes, append
from journeyman.service.clock import Clock, utc_now
from journeyman.service.live import Live
from journeyman.service.upstream import Credentials
from journeyman.store import accounts, events, sessions, tasks, usage
from journeyman.store.database import Database


class Ledger:
    def __init__(
        self,
        database: Database,
        live: Live,
        changes: Changes,
        *,
        credentials: Credentials | None = None,
        clock: Clock = utc_now,
    ) -> None:
        """*credentials*: of sessions that work on another forge."""
        self._database = database
        self._credentials = credentials
        self._live = live
        self._changes = changes
        self._clock = clock

    async def take(self, session_id: str) -> Held:
        """Take the session over from whoever held it."""

        def take(tx: Connection) -> Held:
            session = sessions.take(tx, session_id)
            task = tasks.find_task(tx, session.task_id)
            assert task is not None
            return Held(
                session=session,
                repository=task.repository,
                actor=Actor(accounts.get_account(tx, session.user_id), self._secret(tx, session)),
                task_name=task.name,
                log=events.session_log(tx, session_id),
                checkpoint=events.find_checkpoint(tx, session_id),
                artifacts=task.artifacts,
                earlier=events.earlier_log(tx, session) if session.number > 1 else (),
                origin_sha=sessions.find_origin(tx, session),
            )

        return await self._database.write(take)

    def _secret(self, tx: Connection, session: Session) -> str | None:
        return self._credentials.find(tx, session.id) if self._credentials else None

    async def list_working(self) -> list[Run]:
        """All runs that the queue should know."""
        return await self._database.read(
            lambda tx: sessions.runs_in(tx, (State.QUEUED, State.IN_PROGRESS))
        )

    async def rests_since(self, session_id: str, before: datetime) -> bool:
        """Whether the session waits for its user, and has done so since *before*."""
        found = await self._database.read(lambda tx: sessions.find_session(tx, session_id))
        resting = found is not None and not found.ended and not found.at_work
        return resting and found is not None and found.updated_at < before

    async def repositories_in_use(self) -> set[int]:
        """Those that have a session that has not ended."""
        return await self._database.read(lambda tx: sessions.repositories_in(tx, ACTIVE))

    async def has_ended(self, session_id: str) -> bool:
        """True also for a session that nobody knows."""
        found = await self._database.read(lambda tx: sessions.find_session(tx, session_id))
        return found is None or found.ended

    async def ended_before(self, session_id: str, before: datetime) -> bool:
        """True also for a session that nobody knows."""
        found = await self._database.read(lambda tx: sessions.find_session(tx, session_id))
        return found is None or (found.completed_at is not None and found.completed_at <= before)

    async def is_due(self, session_id: str, run_number: int) -> bool:
        """Whether this run is the one that the session is to be carried by."""
        found = await self._database.read(lambda tx: sessions.find_session(tx, session_id))
        return found is not None and found.at_work and found.run_number == run_number

    async def append(self, held: Session, new: Sequence[NewEvent]) -> list[Event]:
        """Append all of *new* in one transaction; LeaseLost when the session is another worker's
        by now."""
        if not new:
            return []
        now = self._clock()
        spent = [Spent.of(entry.data) for entry in new if entry.type is EventType.USAGE]

        def write(tx: Connection) -> list[Event]:
            made = append(tx, held, new, now, fence=held.fence)
            for one in filter(None, spent):
                usage.add(tx, held, one, now)
            return made

        made = await self._database.write(write)
        self._live.stored(held.task_id, made)
        return made

    def publish(self, held: Session, entry: NewEvent) -> None:
        """Show an ephemeral entry to whoever is watching."""
        self._live.publish(held.task_id, entry)

    async def drain(self, held: Session) -> list[Event]:
        """Turn the messages that wait for the agent into events of its log, each exactly once."""

        def drain(tx: Connection) -> list[Event]:
            _held(tx, held)
            made = []
            for waiting in events.unread_messages(tx, held.id):
                data = {
                    "content": waiting.content,
                    "source": waiting.source,
                    "userId": waiting.user_id,
                }
                entry = NewEvent(EventType.USER_MESSAGE, data)
                made += append(tx, held, [entry], self._clock(), fence=held.fence)
                events.mark_read(tx, waiting.id, made[-1].seq)
            return made

        if not await self._database.read(lambda tx: events.unread_messages(tx, held.id)):
            return []
        made = await self._database.write(drain)
        self._live.notify(held.task_id)
        return made

    async def begin(
        self, held: Session, base_sha: str, started: NewEvent
    ) -> tuple[Session, list[Event]]:
        """The work starts at *base_sha*: from queued to in progress, or again after a crash.

        A session that has ended, or was paused, meanwhile is given back as it is.
        """

        def begin(tx: Connection) -> tuple[Session, list[Event]]:
            now = self._clock()
            current = _held(tx, held)
            if not current.at_work:
                return current, []
            sessions.set_base(tx, held.id, base_sha)
            made = append(tx, held, [started], now, fence=held.fence)
            if current.state is State.QUEUED:
                self._changes.state(tx, current, State.IN_PROGRESS, now, fence=held.fence)
            return sessions.get_session(tx, held.id), made

        session, made = await self._database.write(begin)
        self._live.notify(held.task_id)
        return session, made

    async def save(self, held: Session, checkpoint: Checkpoint) -> list[Event]:
        """Keep the workspace's state, replacing the one before."""
        data = {"sha": checkpoint.sha, "changedFiles": checkpoint.changed_files}

        def save(tx: Connection) -> list[Event]:
            now = self._clock()
            made = append(tx, held, [NewEvent(EventType.CHECKPOINT, data)], now, fence=held.fence)
            events.save_checkpoint(tx, held.id, checkpoint, now)
            return made

        made = await self._database.write(save)
        self._live.notify(held.task_id)
        return made

    async def kept(self, held: Session) -> Checkpoint | None:
        """What was saved last, with its bundle."""
        return await self._database.read(lambda tx: events.find_checkpoint(tx, held.id))

    async def add_artifact(self, held: Session, made: Artifact) -> None:
        """Once per task, however often it is told."""

        def add(tx: Connection) -> None:
            _held(tx, held)
            self._changes.artifact(tx, held, made, self._clock(), fence=held.fence)

        await self._database.write(add)
        self._live.notify(held.task_id)

    async def rest(
        self,
        held: Session,
        state: State,
        *,
        reason: Reason | None = None,
        message: str | None = None,
        despite_messages: bool = False,
    ) -> bool:
        """Let the session wait for its user, unless it has a message already: then False, and it
        goes on. One that has ended or rests stays as it is: the call may be a repeated one."""

        def rest(tx: Connection) -> bool:
            current = _held(tx, held)
            if current.ended or current.state is state:
                return True
            now = self._clock()
            if sessions.cancel_requested(tx, [held.id]):
                wish = Reason.CANCELLED_BY_USER
                self._changes.state(
                    tx, current, State.CANCELLED, now, reason=wish, fence=held.fence
                )
                return True
            if not despite_messages and events.unread_messages(tx, held.id):
                return False
            self._changes.state(
                tx, current, state, now, reason=reason, message=message, fence=held.fence
            )
            return True

        done = await self._database.write(rest)
        (self._live.ended if done else self._live.notify)(held.task_id)
        return done

    async def give_up(self, lost: Run, message: str) -> bool:
        """End a session whose run no worker carries any more. False when it has moved on since the
        run was listed: it rests, has ended, or is carried by a newer one."""

        def give_up(tx: Connection) -> bool:
            current = sessions.lock_session(tx, lost.session_id)
            if not current.at_work or current.run != lost:
                return False
            now, reason = self._clock(), Reason.WORKER_LOST
            self._changes.state(tx, current, State.FAILED, now, reason=reason, message=message)
            return True

        done = await self._database.write(give_up)
        (self._live.ended if done else self._live.notify)(lost.task_id)
        return done

    async def wants_pause(self, session_id: str) -> bool:
        return await self._database.read(lambda tx: sessions.pause_wanted(tx, session_id))

    async def finish(
        self,
        held: Session,
        state: State,
        *,
        reason: Reason | None = None,
        message: str | None = None,
    ) -> bool:
        """End the session unless somebody has sent it a message meanwhile: then False, and it
        goes on."""

        def finish(tx: Connection) -> bool:
            current = _held(tx, held)
            if current.ended:
                return True
            if state is State.COMPLETED and events.unread_messages(tx, held.id):
                return False
            self._changes.state(
                tx, current, state, self._clock(), reason=reason, message=message, fence=held.fence
            )
            return True

        done = await self._database.write(finish)
        (self._live.ended if done else self._live.notify)(held.task_id)
        return done

    async def wanting_pause(self, session_ids: Sequence[str], seconds: float) -> set[str]:
        """Those that have been asked to rest *seconds* ago or earlier."""
        before = self._clock() - timedelta(seconds=seconds)
        return await self._database.read(
            lambda tx: sessions.pause_requested(tx, session_ids, before)
        )

    async def wanting_cancel(self, session_ids: Sequence[str]) -> set[str]:
        return await self._database.read(lambda tx: sessions.cancel_requested(tx, session_ids))


def _held(tx: Connection, held: Session) -> Session:
    """The session as it is now, locked; LeaseLost when somebody else has taken it."""
    current = sessions.lock_session(tx, held.id)
    if current.fence != held.fence:
        raise LeaseLost(held.id)
    return current
