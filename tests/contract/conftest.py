"""People, a repository and sessions for the tests of the store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from journeyman.domain.repositories import Account, AccountType
from journeyman.domain.sessions import Session, State
from journeyman.domain.tasks import Task
from journeyman.store import accounts, sessions, tasks
from journeyman.store.database import Database

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@dataclass(frozen=True)
class Cast:
    alice: Account
    bob: Account
    repository_id: int


@pytest.fixture
async def cast(database: Database) -> Cast:
    def fill(tx: sa.Connection) -> Cast:
        alice, bob = (
            accounts.add_account(tx, login, AccountType.USER, site_admin=False, now=NOW)
            for login in ("Alice", "bob")
        )
        return Cast(alice, bob, accounts.add_repository(tx, alice, "Hello", private=True, now=NOW))

    return await database.write(fill)


def a_session(cast: Cast, name: str, *, seconds: float = 0, by: Account | None = None) -> Session:
    now = NOW + timedelta(seconds=seconds)
    return Session(
        id=f"s-{name}",
        task_id=f"t-{name}",
        repository_id=cast.repository_id,
        number=1,
        user_id=(by or cast.alice).id,
        state=State.QUEUED,
        state_reason=None,
        prompt="Fix it, ü",
        model=None,
        custom_agent=None,
        create_pull_request=True,
        base_ref="main",
        base_sha=None,
        head_ref=f"journeyman/{name}",
        on_existing_branch=False,
        error=None,
        usage_nano_credits=None,
        run_number=1,
        fence=0,
        last_seq=0,
        created_at=now,
        updated_at=now,
        completed_at=None,
    )


def add(tx: sa.Connection, cast: Cast, session: Session) -> Task:
    task = Task(
        id=session.task_id,
        repository=accounts.get_repository(tx, cast.repository_id),
        creator_id=session.user_id,
        name="Fix it",
        custom_agent=None,
        session=session,
        session_count=1,
        artifacts=(),
        version=1,
        created_at=session.created_at,
        updated_at=session.updated_at,
        archived_at=None,
    )
    tasks.add_task(tx, task)
    sessions.add_session(tx, session)
    return task


async def made(database: Database, cast: Cast, name: str = "1", seconds: float = 0) -> Session:
    session = a_session(cast, name, seconds=seconds)
    await database.write(lambda tx: add(tx, cast, session))
    return session
