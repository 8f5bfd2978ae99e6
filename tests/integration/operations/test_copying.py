"""From SQLite to PostgreSQL: everything, exactly once, also when it was broken off in between."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from journeyman import administering, app
from journeyman.config import Config
from journeyman.domain.errors import AppError, Code
from journeyman.operations import copying
from journeyman.operations.backup import Place, back_up
from journeyman.operations.copying import copy, undo
from journeyman.store import rows
from journeyman.store.database import make_engine, sqlite_url
from journeyman.store.tables import message, task
from tests import postgres
from tests.conftest import configured
from tests.integration.operations.conftest import Kept
from tests.integration.operations.test_backup import tallies

pytestmark = pytest.mark.postgres


@pytest.fixture
def url(cluster: postgres.Cluster) -> str:
    return cluster.fresh()


@pytest.fixture
async def stopped(kept: Kept, tmp_path: Path) -> Config:
    """As a server that was stopped has left it."""
    data = tmp_path / "copied"
    data.mkdir()
    with (
        sqlite3.connect(kept.place.data / "journeyman.db") as opened,
        sqlite3.connect(data / "journeyman.db") as made,
    ):
        opened.backup(made)
    opened.close()
    made.close()
    return configured(data, **{"database.url": sqlite_url(data)})


def refused(source: str, target: str, code: Code) -> str:
    with pytest.raises(AppError) as caught:
        copy(source, target)
    assert caught.value.code is code
    return caught.value.message


def found(url: str) -> dict[str, rows.Tally]:
    engine = make_engine(url)
    try:
        return tallies(engine)
    finally:
        engine.dispose()


async def test_all_rows_are_there_and_work_goes_on(stopped: Config, url: str, kept: Kept) -> None:
    copied = copy(stopped.database.url, url)
    assert copied["task"] == copied["engine.workflow_status"] == 1
    assert found(url) == found(stopped.database.url)
    async with app.parts(configured(stopped.data, **{"database.url": url})) as parts:
        alice = await parts.services.identity.authenticate(kept.world.tokens["alice"])
        assert (await parts.services.tasks.get(alice, kept.task.id)).task == kept.task
        await parts.services.sessions.steer(alice, kept.task.id, "also")
        with parts.database.engine.connect() as tx:
            assert not sa.inspect(tx).has_table("journeyman_copy")
            assert list(tx.scalars(sa.select(message.c.id))) == [1, 2]


async def test_nobody_goes_on_with_the_old_one_by_mistake(
    stopped: Config, url: str, tmp_path: Path
) -> None:
    place = Place("1", stopped.database.url, stopped.data)
    copy(stopped.database.url, url.replace("@", ":hidden@", 1))
    for refuses in (
        lambda: app.migrate(stopped),
        lambda: administering.revisions(stopped),
        lambda: asyncio.run(back_up(place, tmp_path / "old.tar.gz")),
        lambda: copy(stopped.database.url, url),
    ):
        with pytest.raises(AppError, match=r"copied to postgresql.*copy-database --undo") as told:
            await asyncio.to_thread(refuses)
        assert "hidden" not in told.value.message
    undo(stopped.database.url)
    app.migrate(stopped)
    with pytest.raises(AppError, match="was not copied"):
        undo(stopped.database.url)


class Broken(Exception):
    pass


async def test_what_was_broken_off_goes_on_where_it_was(stopped: Config, url: str) -> None:
    first: list[str] = []

    def breaking(what: str, done: int, _all: int) -> None:
        first.append(what)
        if what == "session" and done:
            raise Broken

    with pytest.raises(Broken):
        copy(stopped.database.url, url, progress=breaking)
    half = found(url)
    assert half["task"].rows == 1
    assert half["message"].rows == 0
    again: list[tuple[str, int, int]] = []
    copy(stopped.database.url, url, progress=lambda *step: again.append(step))
    assert ("task", 0, 0) in again, "its rows are there already"
    assert found(url) == found(stopped.database.url)


async def test_what_was_broken_off_after_the_mark_is_finished(
    stopped: Config, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaking(_tx: sa.Connection) -> None:
        raise Broken

    with monkeypatch.context() as patched:
        patched.setattr(copying.NOTES, "drop", breaking)
        with pytest.raises(Broken):
            copy(stopped.database.url, url)
    finished = copy(stopped.database.url, url)
    assert finished == {name: tally.rows for name, tally in found(url).items()}
    engine = make_engine(url)
    assert not sa.inspect(engine).has_table("journeyman_copy")
    engine.dispose()
    assert "was copied to" in refused(stopped.database.url, url, Code.CONFLICT)


async def test_a_source_that_changed_in_between_is_told(stopped: Config, url: str) -> None:
    def breaking(what: str, _done: int, _all: int) -> None:
        if what == "session":
            raise Broken

    with pytest.raises(Broken):
        copy(stopped.database.url, url, progress=breaking)
    with sqlite3.connect(stopped.data / "journeyman.db") as opened:
        opened.execute("UPDATE task SET name = 'another'")
    opened.close()
    told = refused(stopped.database.url, url, Code.CONFLICT)
    assert "task differs" in told


async def test_a_database_that_somebody_has_open_is_not_copied(kept: Kept, url: str) -> None:
    told = refused(kept.place.database_url, url, Code.CONFLICT)
    assert "in use" in told


async def test_nobody_can_open_it_meanwhile(stopped: Config, url: str) -> None:
    def trying(_what: str, _done: int, _all: int) -> None:
        other = sqlite3.connect(stopped.data / "journeyman.db", timeout=0)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("SELECT 1 FROM task")
        other.close()

    copy(stopped.database.url, url, progress=trying)


async def test_a_target_with_rows_is_left_alone(stopped: Config, url: str) -> None:
    copy(stopped.database.url, url)
    undo(stopped.database.url)
    before = found(url)
    assert "not empty" in refused(stopped.database.url, url, Code.CONFLICT)
    assert found(url) == before


async def test_a_target_with_a_server_on_it_is_left_alone(
    stopped: Config, url: str, tmp_path: Path
) -> None:
    async with app.parts(configured(tmp_path, **{"database.url": url})) as parts:
        await parts.readings.refresh()
        assert "runs on the database" in refused(stopped.database.url, url, Code.CONFLICT)


async def test_what_only_sqlite_takes_is_named(stopped: Config, url: str) -> None:
    engine = make_engine(stopped.database.url)
    with engine.begin() as tx:
        tx.execute(task.update().values(name="with a \0"))
    engine.dispose()
    assert "table task" in refused(stopped.database.url, url, Code.INVALID)


@pytest.mark.parametrize(
    ("given", "onto", "told"),
    [
        ("postgresql://x/y", "postgresql://x/z", "only SQLite"),
        ("sqlite:////tmp/x.db", "sqlite:////tmp/y.db", "only PostgreSQL"),
    ],
)
def test_only_one_way_is_known(given: str, onto: str, told: str) -> None:
    assert told in refused(given, onto, Code.INVALID)


def test_a_source_that_is_not_there_is_named(tmp_path: Path, url: str) -> None:
    assert "no database at" in refused(sqlite_url(tmp_path), url, Code.NOT_FOUND)
    assert not list(tmp_path.iterdir())


def test_a_source_of_another_version_is_migrated_first(tmp_path: Path, url: str) -> None:
    sqlite3.connect(tmp_path / "journeyman.db").close()
    (tmp_path / "journeyman.db").touch()
    assert "journeyman migrate" in refused(sqlite_url(tmp_path), url, Code.CONFLICT)
