"""A migration only adds, so that the version before still works on the schema of the next one: a
fleet is replaced one process after the other, and a release that was a mistake is taken back.

Each step between released schemas is held against that rule; and this version itself is run on a
schema that has more than it knows.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from journeyman import administering
from journeyman.domain.tasks import NewTask
from journeyman.store import migrate
from journeyman.store.database import Database, make_engine, sqlite_url
from tests.conftest import EACH_DATABASE, World, configured

FIRST_RELEASED = "0001"
"""What was before it nobody has."""

Schema = dict[str, sa.Table]


def schema(engine: sa.Engine) -> Schema:
    found = sa.MetaData()
    found.reflect(engine)
    return dict(found.tables)


def breaks(before: Schema, after: Schema) -> list[str]:
    """What code that knows *before* would stumble over in *after*."""
    found = [f"{name} is gone" for name in before.keys() - after.keys()]
    for name, old in before.items():
        if (new := after.get(name)) is not None:
            found += _lost(name, old, new) + _demanded(name, old, new)
    return found


def _lost(name: str, old: sa.Table, new: sa.Table) -> list[str]:
    found = []
    for column in old.columns:
        now = new.columns.get(column.name)
        if now is None:
            found.append(f"{name}.{column.name} is gone")
        elif repr(now.type) != repr(column.type):
            found.append(f"{name}.{column.name} has another type")
        elif column.nullable and not now.nullable:
            found.append(f"{name}.{column.name} must be given now")
        elif not column.nullable and now.nullable:
            found.append(f"{name}.{column.name} may be missing now")
    return found


def _demanded(name: str, old: sa.Table, new: sa.Table) -> list[str]:
    found = [
        f"{name}.{column.name} must be given, and has no default"
        for column in new.columns
        if column.name not in old.columns and not column.nullable and column.server_default is None
    ]
    kinds = (sa.UniqueConstraint, sa.ForeignKeyConstraint, sa.CheckConstraint)
    known = {_shape(one) for one in old.constraints if isinstance(one, kinds)}
    for one in new.constraints:
        names = {column.name for column in getattr(one, "columns", ())}
        concerns = isinstance(one, kinds) and (not names or names & set(old.columns.keys()))
        if concerns and _shape(one) not in known:
            found.append(f"{name} has a new {type(one).__name__}")
    known_indexes = {tuple(c.name for c in index.columns) for index in old.indexes if index.unique}
    for index in new.indexes:
        columns = tuple(c.name for c in index.columns)
        if index.unique and columns not in known_indexes and set(columns) & set(old.columns.keys()):
            found.append(f"{name} has a new unique index")
    return found


def _shape(constraint: sa.Constraint) -> str:
    columns = ",".join(column.name for column in getattr(constraint, "columns", ()))
    return f"{type(constraint).__name__} {columns} {getattr(constraint, 'sqltext', '')}"


def test_each_step_since_the_first_release_only_adds(tmp_path: Path) -> None:
    engine = make_engine(sqlite_url(tmp_path))
    known = migrate.revisions()
    before: Schema = {}
    for revision in known:
        migrate.upgrade(engine, revision)
        after = schema(engine)
        if known.index(revision) > known.index(FIRST_RELEASED):
            assert breaks(before, after) == [], revision
        before = after
    engine.dispose()
    assert FIRST_RELEASED in known


def made(*statements: str) -> Schema:
    engine = sa.create_engine("sqlite://")
    with engine.begin() as tx:
        for statement in statements:
            tx.exec_driver_sql(statement)
    found = schema(engine)
    engine.dispose()
    return found


BEFORE = "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT)"


@pytest.mark.parametrize(
    ("after", "told"),
    [
        ("CREATE TABLE other (id INTEGER PRIMARY KEY)", "t is gone"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL)", "t.b is gone"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER NOT NULL, b TEXT)", "another type"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT NOT NULL, b TEXT NOT NULL)", "be given"),
        ("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b TEXT)", "may be missing"),
        (f"{BEFORE[:-1]}, c TEXT NOT NULL)", "no default"),
        (f"{BEFORE[:-1]}, UNIQUE (a, b))", "UniqueConstraint"),
        (f"{BEFORE[:-1]}, CHECK (a <> b))", "CheckConstraint"),
        (f"{BEFORE[:-1]}, FOREIGN KEY (b) REFERENCES t (a))", "ForeignKeyConstraint"),
    ],
)
def test_what_the_version_before_would_stumble_over_is_found(after: str, told: str) -> None:
    assert any(told in one for one in breaks(made(BEFORE), made(after)))


def test_a_new_unique_index_is_found_too() -> None:
    after = made(BEFORE, "CREATE UNIQUE INDEX i ON t (b)")
    assert breaks(made(BEFORE), after) == ["t has a new unique index"]


def test_what_only_adds_is_let_through() -> None:
    after = made(
        f"{BEFORE[:-1]}, c TEXT, d INTEGER NOT NULL DEFAULT 0)",
        "CREATE INDEX i ON t (b)",
        "CREATE TABLE u (id INTEGER PRIMARY KEY, t_id INTEGER NOT NULL REFERENCES t (id))",
    )
    assert breaks(made(BEFORE), after) == []


def widen(database: Database) -> None:
    """As a newer version would."""
    with database.engine.begin() as tx:
        for table in schema(database.engine):
            if table == "alembic_version":
                continue
            tx.execute(sa.text(f'ALTER TABLE "{table}" ADD COLUMN later_a TEXT'))
            tx.execute(
                sa.text(f'ALTER TABLE "{table}" ADD COLUMN later_b INTEGER NOT NULL DEFAULT 7')
            )
        tx.execute(sa.text("CREATE TABLE later (id INTEGER PRIMARY KEY)"))
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))


@pytest.fixture
def widened(database: Database) -> None:
    widen(database)


@EACH_DATABASE
async def test_this_version_works_on_the_schema_of_a_newer_one(
    widened: None, world: World, database: Database
) -> None:
    services = world.parts.services
    alice, access = await world.principal("alice"), await world.access("alice")
    task = await services.tasks.create(alice, access, NewTask("Do it"), idempotency_key="k")
    assert await services.tasks.create(
        alice, access, NewTask("Do it"), idempotency_key="k"
    ) == (await services.tasks.get(alice, task.id)).task  # fmt: skip
    await services.sessions.steer(alice, task.id, "also")
    assert (await services.sessions.cancel(alice, task.id)).session.ended
    assert (await services.events.page(alice, task.id, 1, 10)).total > 0
    with database.engine.connect() as tx:
        assert migrate.revision_of(tx) == "9999"


@EACH_DATABASE
def test_the_revisions_are_told(database: Database, tmp_path: Path) -> None:
    config = configured(tmp_path, **{"database.url": database.url})
    assert administering.revisions(config) == (migrate.newest(), migrate.newest())
    widen(database)
    assert administering.revisions(config) == ("9999", migrate.newest())


def test_a_new_database_has_no_revision(tmp_path: Path) -> None:
    assert administering.revisions(configured(tmp_path)) == (None, migrate.newest())
