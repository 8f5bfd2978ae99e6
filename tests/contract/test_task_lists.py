"""The lists of tasks and their counts, on each database."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from journeyman.domain.principals import Principal, TokenKind
from journeyman.domain.queries import Sort, TaskQuery
from journeyman.domain.repositories import Permission
from journeyman.domain.sessions import State
from journeyman.store import accounts, sessions, tasks
from journeyman.store.database import Database
from tests.conftest import EACH_DATABASE
from tests.contract.conftest import NOW, Cast, a_session, add, made

pytestmark = EACH_DATABASE


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (TaskQuery(), ["2", "1", "0"]),
        (TaskQuery(ascending=True, sort=Sort.CREATED_AT), ["0", "1", "2"]),
        (TaskQuery(per_page=2), ["2", "1"]),
        (TaskQuery(per_page=2, page=2), ["0"]),
        (TaskQuery(page=5), []),
        (TaskQuery(states=frozenset({State.IN_PROGRESS})), ["0"]),
        (TaskQuery(states=frozenset({State.QUEUED, State.IN_PROGRESS})), ["2", "1", "0"]),
        (TaskQuery(archived=True), ["3"]),
        (TaskQuery(since=NOW + timedelta(seconds=1)), ["2", "1"]),
        (TaskQuery(creator_ids=frozenset({10**9})), []),
    ],
)
async def test_tasks_are_listed_as_asked(
    database: Database, cast: Cast, query: TaskQuery, names: list[str]
) -> None:
    made_ones = [await made(database, cast, str(n), seconds=n) for n in range(4)]

    def change(tx: sa.Connection) -> None:
        sessions.set_state(tx, made_ones[0], State.IN_PROGRESS, now=NOW)
        tasks.set_archived(tx, "t-3", NOW, NOW)

    await database.write(change)
    page = await database.read(lambda tx: tasks.list_for_repository(tx, cast.repository_id, query))
    assert [task.id for task in page.tasks] == [f"t-{name}" for name in names]
    assert (page.total_active_count, page.total_archived_count) == (3, 1)
    assert page.has_more == (query.per_page == 2 and query.page == 1)


async def test_a_creator_sees_what_its_token_reaches(database: Database, cast: Cast) -> None:
    await made(database, cast)
    for selected, count in ((None, 1), (frozenset({cast.repository_id}), 1), (frozenset[int](), 0)):
        principal = Principal(cast.alice, TokenKind.FINE_GRAINED, repository_ids=selected)
        page = await database.read(
            partial(tasks.list_for_creator, principal=principal, query=TaskQuery())
        )
        assert len(page.tasks) == count


async def test_the_counts_are_of_what_was_made_and_archived_however_many_do_so_at_once(
    database: Database, cast: Cast
) -> None:
    people = (cast.alice, cast.bob)
    for user in people:
        await database.write(
            partial(
                accounts.set_collaborator,
                repository_id=cast.repository_id,
                account_id=user.id,
                granted=Permission.WRITE,
            )
        )
    ones = [a_session(cast, str(n), by=people[n % 2]) for n in range(12)]
    await asyncio.gather(*(database.write(partial(add, cast=cast, session=one)) for one in ones))

    async def archive(number: int, *, archived: bool) -> None:
        at = NOW if archived else None
        await database.write(lambda tx: tasks.set_archived(tx, f"t-{number}", at, NOW))

    # Twice each: the second changes nothing.
    await asyncio.gather(*(archive(n % 5, archived=True) for n in range(10)))
    await asyncio.gather(*(archive(0, archived=False) for _ in range(2)))

    async def counts(principal: Principal | None) -> tuple[int, int]:
        def read(tx: sa.Connection) -> tuple[int, int]:
            if principal is None:
                page = tasks.list_for_repository(tx, cast.repository_id, TaskQuery(per_page=1))
            else:
                page = tasks.list_for_creator(tx, principal, TaskQuery(per_page=1))
            return page.total_active_count, page.total_archived_count

        return await database.read(read)

    assert await counts(None) == (8, 4)
    assert await counts(Principal(cast.alice, TokenKind.CLASSIC, scopes=("repo",))) == (4, 2)
    assert await counts(Principal(cast.bob, TokenKind.CLASSIC, scopes=("repo",))) == (4, 2)
    assert await counts(Principal(cast.bob, TokenKind.CLASSIC, scopes=())) == (0, 0)
