"""What is the database's fault is told as such, in one line, and healed by its coming back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from journeyman import app
from journeyman.domain.errors import AppError, Code, DatabaseLost
from journeyman.store.database import Database, sqlite_url
from tests import postgres
from tests.conftest import EACH_DATABASE, configured


def one(tx: sa.Connection) -> int | None:
    return tx.scalar(sa.select(sa.literal(1)))


def migration_error(data: Path, url: str) -> str:
    with pytest.raises(AppError) as refused:
        app.migrate(configured(data, **{"database.url": url}))
    assert refused.value.code is Code.UNAVAILABLE
    assert "\n" not in refused.value.message
    return refused.value.message


def test_a_file_that_is_no_database_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "journeyman.db").write_bytes(b"not a database, but long enough to be one\n" * 99)
    assert "not a database" in migration_error(tmp_path, sqlite_url(tmp_path))


def test_a_directory_that_is_not_there_is_no_place_for_a_database(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "missing")
    assert "unable to open" in migration_error(tmp_path, url)


@pytest.mark.postgres
def test_a_server_that_does_not_answer_is_told(cluster: postgres.Cluster, tmp_path: Path) -> None:
    url = cluster.url().replace(f":{cluster.port}", ":1").replace("postgres@", "postgres:secret@")
    message = migration_error(tmp_path, url)
    assert "refused" in message
    assert "secret" not in message


@pytest.mark.postgres
def test_a_user_that_the_server_does_not_know_is_told(
    cluster: postgres.Cluster, tmp_path: Path
) -> None:
    url = cluster.url().replace("postgres@", "nobody:secret@")
    message = migration_error(tmp_path, url)
    assert 'role "nobody" does not exist' in message
    assert "secret" not in message


@EACH_DATABASE
async def test_a_wrong_statement_is_a_bug_and_no_lost_database(database: Database) -> None:
    for run in (database.read, database.write):
        with pytest.raises(sa.exc.DBAPIError):
            await run(lambda tx: tx.execute(sa.text("SELECT no_such_column FROM task")))


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_connections_that_were_cut_are_made_again(database: Database) -> None:
    def cut_the_others(tx: sa.Connection) -> None:
        mine = sa.text("SELECT pg_backend_pid()")
        tx.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> :mine"
            ),
            {"mine": tx.scalar(mine)},
        )

    assert await asyncio.gather(*(database.read(one) for _ in range(4))) == [1] * 4
    await database.write(cut_the_others)
    assert await asyncio.gather(*(database.read(one) for _ in range(4))) == [1] * 4


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_transaction_that_is_cut_is_told_as_lost(database: Database) -> None:
    def cut_myself(tx: sa.Connection) -> None:
        tx.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))

    with pytest.raises(DatabaseLost):
        await database.write(cut_myself)
    assert await database.write(one) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_transactions_that_block_each_other_both_happen(database: Database) -> None:
    await database.write(lambda tx: tx.execute(sa.text("CREATE TABLE pair (id int, n int)")))
    await database.write(lambda tx: tx.execute(sa.text("INSERT INTO pair VALUES (1, 0), (2, 0)")))
    update = sa.text("UPDATE pair SET n = n + 1 WHERE id = :id")

    def both(first: int, second: int) -> Callable[[sa.Connection], None]:
        def work(tx: sa.Connection) -> None:
            tx.execute(update, {"id": first})
            tx.execute(sa.text("SELECT pg_sleep(0.2)"))
            tx.execute(update, {"id": second})

        return work

    await asyncio.gather(database.write(both(1, 2)), database.write(both(2, 1)))
    total = await database.read(lambda tx: tx.scalar(sa.text("SELECT sum(n) FROM pair")))
    assert total == 4
