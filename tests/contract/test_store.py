"""What the store promises, on each database. Other parts' tables are tested with those parts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.exc import IntegrityError

from journeyman.domain.artifacts import BranchArtifact, PullArtifact
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.queries import Cursor
from journeyman.domain.repositories import Account, AccountType, Permission
from journeyman.domain.sessions import Reason, Session, State
from journeyman.store import accounts, browsing, events, pulls, sessions, tasks
from journeyman.store.database import Database
from journeyman.store.migrate import upgrade
from journeyman.store.tables import metadata
from journeyman.web.viewer import principal_of
from tests.conftest import EACH_DATABASE
from tests.contract.conftest import NOW, Cast, a_session, add, made

pytestmark = EACH_DATABASE


def log(*texts: str) -> list[NewEvent]:
    return [NewEvent(EventType.SESSION_INFO, {"message": text}) for text in texts]


# --- The schema ----------------------------------------------------------------------------------


def test_the_migrated_schema_is_that_of_the_tables(database: Database) -> None:
    def ours(found: object, name: str | None, kind: str, reflected: bool, _other: object) -> bool:
        table = name if kind == "table" else getattr(getattr(found, "table", None), "name", None)
        return table in metadata.tables

    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": ours, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    upgrade(database.engine)


# --- Transactions --------------------------------------------------------------------------------


async def test_a_write_that_fails_leaves_nothing(database: Database, cast: Cast) -> None:
    def fail(tx: sa.Connection) -> None:
        add(tx, cast, a_session(cast, "lost"))
        raise RuntimeError("after the insert")

    with pytest.raises(RuntimeError, match="after the insert"):
        await database.write(fail)
    assert await database.read(lambda tx: tasks.find_task(tx, "t-lost")) is None


async def test_a_reader_sees_what_a_writer_has_committed(database: Database, cast: Cast) -> None:
    assert await database.read(lambda tx: tasks.find_task(tx, "t-1")) is None
    session = await made(database, cast)
    found = await database.read(lambda tx: tasks.find_task(tx, "t-1"))
    assert found is not None
    assert found.session == session


async def test_many_writers_at_once_lose_nothing(database: Database, cast: Cast) -> None:
    session = await made(database, cast)

    def append(tx: sa.Connection) -> None:
        first = sessions.reserve(tx, session.id, 0, 1)
        assert first is not None
        events.add_events(tx, session, first, log("x"), NOW)

    await asyncio.gather(*(database.write(append) for _ in range(50)))
    found = await database.read(lambda tx: events.session_log(tx, session.id))
    assert [event.seq for event in found] == list(range(1, 51))


async def test_a_cancelled_writer_still_commits_or_leaves_nothing(
    database: Database, cast: Cast
) -> None:
    writing = asyncio.ensure_future(
        database.write(lambda tx: add(tx, cast, a_session(cast, "cut")))
    )
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await database.write(lambda tx: None)
    found = await database.read(lambda tx: tasks.find_task(tx, "t-cut"))
    assert found is None or found.session.id == "s-cut"


# --- Accounts and repositories -------------------------------------------------------------------


async def test_logins_and_names_are_found_whatever_their_case(
    database: Database, cast: Cast
) -> None:
    assert await database.read(lambda tx: accounts.find_account(tx, "aLICE")) == cast.alice
    found = await database.read(lambda tx: accounts.find_repository(tx, "ALICE", "hELLO"))
    assert found is not None
    assert (found.id, found.full_name) == (cast.repository_id, "Alice/Hello")


async def test_a_login_is_taken_once(database: Database, cast: Cast) -> None:
    with pytest.raises(IntegrityError):
        await database.write(
            lambda tx: accounts.add_account(
                tx, "ALICE", AccountType.USER, site_admin=False, now=NOW
            )
        )


@pytest.mark.parametrize(
    "granted", [Permission.NONE, Permission.READ, Permission.WRITE, Permission.ADMIN]
)
async def test_a_collaborator_has_what_was_granted_last(
    database: Database, cast: Cast, granted: Permission
) -> None:
    def grant(tx: sa.Connection) -> Permission:
        accounts.set_collaborator(tx, cast.repository_id, cast.bob.id, Permission.READ)
        accounts.set_collaborator(tx, cast.repository_id, cast.bob.id, granted)
        return accounts.permission(tx, cast.bob.id, cast.repository_id)

    assert await database.write(grant) is granted


async def test_becoming_a_user_keeps_an_administrator_one(database: Database, cast: Cast) -> None:
    def become(tx: sa.Connection) -> list[bool]:
        accounts.become_user(tx, cast.bob.id, site_admin=True)
        accounts.become_user(tx, cast.bob.id, site_admin=False)
        return [accounts.get_account(tx, one.id).site_admin for one in (cast.alice, cast.bob)]

    assert await database.write(become) == [False, True]


async def test_pull_requests_are_numbered_in_their_repository(
    database: Database, cast: Cast
) -> None:
    def open_one(head: str) -> Callable[[sa.Connection], int]:
        def open_pull(tx: sa.Connection) -> int:
            accounts.lock_repository(tx, cast.repository_id)
            made = pulls.add_pull(
                tx,
                repository_id=cast.repository_id,
                user_id=cast.bob.id,
                title="Fix",
                body="",
                head_ref=head,
                base_ref="main",
                draft=True,
                now=NOW,
            )
            return made.number

        return open_pull

    numbers = await asyncio.gather(*(database.write(open_one(f"b{n}")) for n in range(8)))
    assert sorted(numbers) == list(range(1, 9))


async def test_tasks_are_found_by_the_beginning_of_their_ids(
    database: Database, cast: Cast
) -> None:
    """Whatever the database's collation makes of hyphens."""
    ids = ["0b7c1f99-9f00-4000-8000-000000000000", "0b7c1f9f-0000-4000-8000-00000000000f"]
    new = [replace(a_session(cast, name), task_id=name) for name in ids]
    await database.write(lambda tx: [add(tx, cast, session) for session in new])

    async def found(prefix: str, by: Account = cast.alice) -> list[str]:
        who = principal_of(by)
        return await database.read(lambda tx: browsing.ids_beginning(tx, who, prefix, 10))

    assert await found("0b7c1f") == ids
    for length in (8, 10, 13, 15, 35, 36):
        assert [await found(one[:length]) for one in ids] == [[one] for one in ids]
    assert await found("0b7c1a") == []
    assert await found("0b7c1f", cast.bob) == []
    alice = principal_of(cast.alice)
    assert await database.read(lambda tx: browsing.creators(tx, alice, 1)) == ["Alice"]


# --- Sessions ------------------------------------------------------------------------------------


async def test_a_session_comes_back_as_it_was_added(database: Database, cast: Cast) -> None:
    session = await made(database, cast)
    assert await database.read(lambda tx: sessions.get_session(tx, session.id)) == session
    later = replace(session, number=session.number + 1)
    assert await database.read(lambda tx: sessions.list_earlier(tx, later)) == [session]
    assert await database.read(lambda tx: sessions.list_earlier(tx, session)) == []
    assert await database.read(lambda tx: sessions.find_session(tx, "nobody")) is None


async def test_a_reason_of_a_newer_version_is_shown_as_none(database: Database, cast: Cast) -> None:
    session = await made(database, cast)
    newer = sa.update(metadata.tables["session"]).values(state_reason="of_tomorrow")
    await database.write(lambda tx: tx.execute(newer))
    found = await database.read(lambda tx: sessions.get_session(tx, session.id))
    assert found == replace(session, state_reason=None)


async def test_a_state_is_set_from_the_expected_one_only(database: Database, cast: Cast) -> None:
    session = await made(database, cast)

    def set_twice(tx: sa.Connection) -> tuple[bool, bool]:
        first, second = (
            sessions.set_state(tx, session, state, reason=Reason.PAUSED, now=NOW)
            for state in (State.IN_PROGRESS, State.CANCELLED)
        )
        return first, second

    assert await database.write(set_twice) == (True, False)
    task = await database.read(lambda tx: tasks.find_task(tx, "t-1"))
    assert task is not None
    assert (task.session.state, task.session.state_reason) == (State.IN_PROGRESS, Reason.PAUSED)
    assert task.session.completed_at is None
    head = await database.read(lambda tx: tasks.find_head(tx, "t-1"))
    assert head is not None
    assert (head.state, head.version) == (State.IN_PROGRESS, 2)


async def test_a_final_state_says_when_it_came(database: Database, cast: Cast) -> None:
    session = await made(database, cast)
    later = NOW + timedelta(minutes=1)

    def end(tx: sa.Connection) -> Session:
        sessions.set_state(tx, session, State.FAILED, error="It broke.", now=later)
        return sessions.get_session(tx, session.id)

    ended = await database.write(end)
    assert (ended.completed_at, ended.error, ended.ended) == (later, "It broke.", True)


async def test_a_former_holder_reserves_nothing(database: Database, cast: Cast) -> None:
    session = await made(database, cast)

    def take_twice(tx: sa.Connection) -> tuple[int | None, int | None, int | None]:
        former, holder = sessions.take(tx, session.id), sessions.take(tx, session.id)
        return (
            sessions.reserve(tx, session.id, former.fence, 1),
            sessions.reserve(tx, session.id, holder.fence, 2),
            sessions.reserve(tx, session.id, None, 1),
        )

    assert await database.write(take_twice) == (None, 1, 3)


async def test_usage_adds_up_from_nothing(database: Database, cast: Cast) -> None:
    session = await made(database, cast)

    def add_up(tx: sa.Connection) -> int | None:
        sessions.add_usage(tx, session.id, 2**40)
        sessions.add_usage(tx, session.id, 2)
        return sessions.get_session(tx, session.id).usage_nano_credits

    assert await database.write(add_up) == 2**40 + 2


async def test_the_wish_to_cancel_is_found_among_those_asked_for(
    database: Database, cast: Cast
) -> None:
    one, two = await made(database, cast, "1"), await made(database, cast, "2")
    await database.write(lambda tx: sessions.request_cancel(tx, two.id, NOW))
    wanted = await database.read(lambda tx: sessions.cancel_requested(tx, [one.id, two.id]))
    assert wanted == {two.id}
    assert await database.read(lambda tx: sessions.cancel_requested(tx, [one.id])) == set()
    assert await database.read(lambda tx: sessions.cancel_requested(tx, [])) == set()


async def test_the_queue_counts_what_was_queued_before(database: Database, cast: Cast) -> None:
    made_ones = [await made(database, cast, str(n), seconds=n) for n in range(3)]
    await database.write(
        lambda tx: sessions.set_state(tx, made_ones[0], State.IN_PROGRESS, now=NOW)
    )

    def positions(tx: sa.Connection) -> list[int]:
        return [sessions.queue_position(tx, one.id) for one in made_ones[1:]]

    assert await database.read(positions) == [1, 2]
    queued = await database.read(lambda tx: sessions.runs_in(tx, [State.QUEUED]))
    assert set(queued) == {one.run for one in made_ones[1:]}


async def test_users_take_turns_in_the_queue_and_the_urgent_ones_have_their_own(
    database: Database, cast: Cast
) -> None:
    many = [await made(database, cast, f"a{n}", seconds=n) for n in range(3)]
    late = a_session(cast, "b", seconds=9, by=cast.bob)
    urgent = replace(a_session(cast, "u", seconds=10), urgent=True)
    for one in (late, urgent):
        await database.write(partial(add, cast=cast, session=one))

    def positions(tx: sa.Connection) -> list[int]:
        return [sessions.queue_position(tx, one.id) for one in (*many, late, urgent)]

    assert await database.read(positions) == [1, 3, 4, 2, 1]
    # What is at work has had its turn.
    await database.write(lambda tx: sessions.set_state(tx, many[0], State.IN_PROGRESS, now=NOW))
    assert (await database.read(positions))[1:] == [2, 3, 1, 1]


async def test_a_session_that_is_queued_again_waits_since_then(
    database: Database, cast: Cast
) -> None:
    old, later = await made(database, cast, "old"), await made(database, cast, "later", seconds=5)
    again = NOW + timedelta(seconds=9)

    def answered(tx: sa.Connection) -> list[int]:
        sessions.set_state(tx, old, State.WAITING_FOR_USER, now=NOW)
        sessions.set_state(tx, sessions.get_session(tx, old.id), State.QUEUED, now=again)
        return [sessions.queue_position(tx, one.id) for one in (old, later)]

    assert await database.write(answered) == [2, 1]


# --- The log -------------------------------------------------------------------------------------


async def test_an_event_keeps_every_character(database: Database, cast: Cast) -> None:
    session = await made(database, cast)
    data = {"content": "NUL \x00, half a pair \ud83d, ü, 雪, 🙂", "n": 2**60, "list": [None, 1.5]}
    new = [NewEvent(EventType.MESSAGE, data, {"message": {"parts": ["\udfff"]}})]
    await database.write(lambda tx: events.add_events(tx, session, 1, new, NOW))
    (found,) = await database.read(lambda tx: events.session_log(tx, session.id))
    assert (found.data, found.record) == (data, new[0].record)
    assert (found.session_number, found.seq, found.created_at) == (1, 1, NOW)


async def test_a_number_is_given_to_one_event_only(database: Database, cast: Cast) -> None:
    session = await made(database, cast)
    await database.write(lambda tx: events.add_events(tx, session, 1, log("a"), NOW))
    with pytest.raises(IntegrityError):
        await database.write(lambda tx: events.add_events(tx, session, 1, log("b"), NOW))


async def test_a_tasks_log_spans_its_sessions(database: Database, cast: Cast) -> None:
    first = await made(database, cast)
    second = replace(first, id="s-1b", number=2)

    def fill(tx: sa.Connection) -> None:
        sessions.add_session(tx, second)
        for one, texts in ((first, ("a", "b")), (second, ("c", "d"))):
            start = sessions.reserve(tx, one.id, None, len(texts))
            assert start is not None
            events.add_events(tx, one, start, log(*texts), NOW)

    await database.write(fill)
    tail = await database.read(lambda tx: events.task_tail(tx, "t-1", Cursor(1, 1), 2))
    assert [(event.session_number, event.seq) for event in tail] == [(1, 2), (2, 1)]
    page = await database.read(lambda tx: events.task_page(tx, "t-1", 2, 3))
    assert ([event.data["message"] for event in page.events], page.total) == (["d"], 4)


async def test_a_rest_counts_anew_once_the_agent_has_spoken(database: Database, cast: Cast) -> None:
    session = await made(database, cast)
    parked = NewEvent(EventType.SESSION_STATE, {"state": "idle", "stateReason": "push_pending"})
    log = [parked, NewEvent(EventType.MESSAGE, {"content": "Done."}), parked, parked]

    def rested(tx: sa.Connection) -> list[datetime]:
        for number, entry in enumerate(log):
            at = NOW + timedelta(seconds=number)
            events.add_events(tx, session, number + 1, [entry], at)
        return events.times_parked(tx, session.id, "push_pending")

    assert await database.write(rested) == [NOW + timedelta(seconds=2), NOW + timedelta(seconds=3)]


async def test_messages_wait_in_their_order_until_they_are_read(
    database: Database, cast: Cast
) -> None:
    session = await made(database, cast)

    def converse(tx: sa.Connection) -> list[list[str]]:
        for text in ("first", "second"):
            events.add_message(tx, session.id, cast.bob.id, "steer", text, NOW)
        before = events.unread_messages(tx, session.id)
        events.mark_read(tx, before[0].id, 7)
        after = events.unread_messages(tx, session.id)
        return [[one.content for one in found] for found in (before, after)]

    assert await database.write(converse) == [["first", "second"], ["second"]]


async def test_the_newest_checkpoint_replaces_the_one_before(
    database: Database, cast: Cast
) -> None:
    session = await made(database, cast)
    old = Checkpoint("a" * 40, "b" * 40, "c" * 40, 1, b"\x00\xff")
    new = Checkpoint("d" * 40, "e" * 40, "f" * 40, 0, None)

    def save(tx: sa.Connection) -> list[Checkpoint | None]:
        found = [events.find_checkpoint(tx, session.id)]
        for one in (old, new):
            events.save_checkpoint(tx, session.id, one, NOW)
            found.append(events.find_checkpoint(tx, session.id))
        return found

    assert await database.write(save) == [None, old, new]


# --- Tasks ---------------------------------------------------------------------------------------


async def test_an_artifact_is_made_once(database: Database, cast: Cast) -> None:
    await made(database, cast)
    artifacts = (BranchArtifact("fix", "main"), PullArtifact(2**40, 3))

    def add_each_twice(tx: sa.Connection) -> list[bool]:
        return [tasks.add_artifact(tx, "t-1", one) for one in artifacts for _ in range(2)]

    assert await database.write(add_each_twice) == [True, False, True, False]
    task = await database.read(lambda tx: tasks.find_task(tx, "t-1"))
    assert task is not None
    assert task.artifacts == artifacts


async def test_an_idempotency_key_belongs_to_an_account(database: Database, cast: Cast) -> None:
    await made(database, cast)
    await database.write(
        lambda tx: tasks.add_idempotent(tx, cast.alice.id, "key", b"digest", "t-1", NOW)
    )

    def find(account: Account) -> Callable[[sa.Connection], tuple[bytes, str] | None]:
        return lambda tx: tasks.find_idempotent(tx, account.id, "key")

    assert await database.read(find(cast.alice)) == (b"digest", "t-1")
    assert await database.read(find(cast.bob)) is None
