"""A backup holds everything, agrees with itself, and comes back on either database."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from journeyman import app
from journeyman.administering import operating
from journeyman.config import Config
from journeyman.domain.errors import AppError, Code
from journeyman.domain.tasks import NewTask
from journeyman.operations import repositories, tables
from journeyman.operations.backup import back_up
from journeyman.operations.restore import restore
from journeyman.store import rows
from journeyman.store.tables import event, repository
from tests.conftest import EACH_DATABASE, World, configured, git
from tests.integration.operations.conftest import EACH_TARGET, Kept, place_of

Progress = list[tuple[str, int, int]]


def tallies(engine: sa.Engine) -> dict[str, rows.Tally]:
    with engine.connect() as tx:
        return {name: rows.tally(tx, table) for name, table in tables.kept(tx.dialect.name).items()}


@EACH_DATABASE
@EACH_TARGET
async def test_everything_comes_back_on_either_database(
    kept: Kept, target: Config, tmp_path: Path
) -> None:
    file, told = tmp_path / "backup.tar.gz", Progress()
    await back_up(kept.place, file, progress=lambda *step: told.append(step))
    assert ("repositories", 1, 1) in told
    assert file.stat().st_mode & 0o777 == 0o600
    await restore(place_of(target), file)
    async with app.parts(target) as parts:
        assert tallies(parts.database.engine) == tallies(kept.world.parts.database.engine)
        alice = await parts.services.identity.authenticate(kept.world.tokens["alice"])
        task = (await parts.services.tasks.get(alice, kept.task.id)).task
        assert task == kept.task
        access = await parts.services.identity.access(alice, "alice", "hello")
        exposed = await parts.services.secrets.environment_for(access.repository)
        assert exposed == {"COLOUR": "green"}
        more = await parts.services.tasks.create(alice, access, NewTask("More"))
        assert more.id != task.id
    here, there = (
        git("for-each-ref", cwd=data / "repositories" / "1.git")
        for data in (kept.place.data, target.data)
    )
    assert here == there
    git("fsck", "--strict", cwd=target.data / "repositories" / "1.git")


@EACH_DATABASE
@EACH_TARGET
async def test_no_number_is_given_twice(kept: Kept, target: Config, tmp_path: Path) -> None:
    """Not even that of a row that is gone."""
    made = kept.world.administration
    await made.add_repository("alice/second", str(kept.place.data / "repositories" / "1.git"))
    with kept.world.parts.database.engine.begin() as tx:
        tx.execute(repository.delete().where(repository.c.name == "second"))
    await back_up(kept.place, tmp_path / "backup.tar.gz")
    await restore(place_of(target), tmp_path / "backup.tar.gz")
    async with operating(target) as again:
        third = await again.administration.add_repository(
            "alice/third", str(kept.place.data / "repositories" / "1.git")
        )
    assert third.id == 3


@EACH_DATABASE
async def test_what_is_written_meanwhile_is_in_it_whole_or_not_at_all(
    kept: Kept, target: Config, tmp_path: Path
) -> None:
    services = kept.world.parts.services
    alice, access = await kept.world.principal("alice"), await kept.world.access("alice")
    stop = asyncio.Event()

    async def write() -> int:
        made = 0
        while not stop.is_set():
            await services.tasks.create(alice, access, NewTask(f"Number {made}"))
            made += 1
        return made

    writing = asyncio.create_task(write())
    await asyncio.sleep(0.1)
    await back_up(kept.place, tmp_path / "backup.tar.gz")
    stop.set()
    assert await writing > 0
    await restore(place_of(target), tmp_path / "backup.tar.gz")
    async with app.parts(target) as parts:
        counted = {name: found.rows for name, found in tallies(parts.database.engine).items()}
    assert counted["task"] == counted["session"] == counted["message"]
    assert counted["task"] == counted["engine.workflow_status"] > 1


async def refused(doing: Callable[[], object], code: Code) -> str:
    with pytest.raises(AppError) as caught:
        await doing()  # type: ignore[misc]
    assert caught.value.code is code
    return caught.value.message


async def test_a_directory_in_use_is_left_alone(kept: Kept, tmp_path: Path) -> None:
    file = tmp_path / "backup.tar.gz"
    await back_up(kept.place, file)
    before = sorted(kept.place.data.rglob("*"))
    message = await refused(lambda: restore(kept.place, file), Code.CONFLICT)
    assert "not empty" in message
    assert sorted(kept.place.data.rglob("*")) == before


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_database_in_use_is_left_alone(kept: Kept, tmp_path: Path) -> None:
    file, data = tmp_path / "backup.tar.gz", tmp_path / "empty"
    await back_up(kept.place, file)
    data.mkdir()
    onto = place_of(configured(data, **{"database.url": kept.place.database_url}))
    message = await refused(lambda: restore(onto, file), Code.CONFLICT)
    assert "account has rows" in message
    assert not list(data.iterdir())


async def test_a_file_is_not_written_over(kept: Kept, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    await refused(lambda: back_up(kept.place, tmp_path / "mine"), Code.CONFLICT)
    assert (tmp_path / "mine").read_text() == "precious"


async def test_a_file_that_cannot_be_written_is_told(kept: Kept, tmp_path: Path) -> None:
    nowhere = tmp_path / "missing" / "backup.tar.gz"
    assert "No such file" in await refused(lambda: back_up(kept.place, nowhere), Code.UNAVAILABLE)


async def test_a_backup_that_fails_leaves_no_file(kept: Kept, tmp_path: Path) -> None:
    (kept.place.data / "repositories" / "1.git" / "config").unlink()
    folder = tmp_path / "backups"
    folder.mkdir()
    await refused(lambda: back_up(kept.place, folder / "backup.tar.gz"), Code.UNAVAILABLE)
    assert not list(folder.iterdir())


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 0xFF
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


Member = tuple[str, bytes]


def rewritten(file: Path, change: Callable[[str, bytes], Member | None]) -> None:
    with tarfile.open(file) as tar:
        members = [(one.name, tar.extractfile(one).read()) for one in tar]  # type: ignore[union-attr]
    with tarfile.open(file, "w:gz") as tar:
        for name, content in members:
            if (kept := change(name, content)) is not None:
                member = tarfile.TarInfo(kept[0])
                member.size = len(kept[1])
                tar.addfile(member, io.BytesIO(kept[1]))


def member(ending: str, change: Callable[[str, bytes], Member | None]) -> Callable[[Path], None]:
    """A change of the members whose names end so."""

    def damage(file: Path) -> None:
        rewritten(file, lambda name, x: change(name, x) if name.endswith(ending) else (name, x))

    return damage


without_manifest = member("manifest.json", lambda name, content: None)
without_a_table = member("/task.jsonl", lambda name, content: None)
with_another_row = member("/task.jsonl", lambda name, content: (name, content * 2))
climbing = member("/HEAD", lambda name, content: ("repositories/1.git/../../../evil", content))
absolute = member("/HEAD", lambda name, content: ("/etc/evil", content))


def of_another_format(file: Path) -> None:
    rewritten(file, lambda name, content: (name, content.replace(b'"format": 1', b'"format": 2')))


def of_a_newer_version(file: Path) -> None:
    rewritten(
        file, lambda name, content: (name, content.replace(b'"revision": "', b'"revision": "9'))
    )


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut, "no whole backup"),
        (flip, "no whole backup"),
        (empty, "no whole backup"),
        (without_manifest, "never finished"),
        (without_a_table, "not what the manifest says"),
        (with_another_row, "not what the manifest says"),
        (climbing, "no place in a backup"),
        (absolute, "no place in a backup"),
        (of_another_format, "this version reads 1"),
        (of_a_newer_version, "is newer"),
    ],
)
async def test_a_file_that_is_not_whole_changes_nothing(
    kept: Kept, target: Config, tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    file = tmp_path / "backup.tar.gz"
    await back_up(kept.place, file)
    damage(file)
    message = await refused(lambda: restore(place_of(target), file), Code.INVALID)
    assert told in message
    assert not list(target.data.iterdir())
    assert not (tmp_path / "evil").exists()
    assert not list(tmp_path.parent.glob("evil"))


async def test_a_repository_that_lacks_an_object_is_named(
    kept: Kept, target: Config, tmp_path: Path
) -> None:
    bare = kept.place.data / "repositories" / "1.git"
    for pack in (bare / "objects" / "pack").iterdir():
        pack.unlink()
    await back_up(kept.place, tmp_path / "backup.tar.gz")
    message = await refused(
        lambda: restore(place_of(target), tmp_path / "backup.tar.gz"), Code.INVALID
    )
    assert "1.git" in message
    assert not list(target.data.iterdir())


async def test_every_character_of_an_event_comes_back(
    kept: Kept, target: Config, tmp_path: Path
) -> None:
    odd = {"text": "\0\ud800 \u2028 🙂"}
    with kept.world.parts.database.engine.begin() as tx:
        tx.execute(
            event.insert().values(
                session_id=kept.task.session.id,
                seq=1,
                type="x",
                data=odd,
                created_at=kept.task.created_at,
            )
        )
    await back_up(kept.place, tmp_path / "backup.tar.gz")
    await restore(place_of(target), tmp_path / "backup.tar.gz")
    async with app.parts(target) as parts:
        with parts.database.engine.connect() as tx:
            assert tx.scalar(sa.select(event.c.data)) == odd


# --- Refs that agree with the database -----------------------------------------------------------

MAIN, OURS = "refs/heads/main", "refs/heads/journeyman/x-1"


def test_a_branch_at_work_is_as_it_stood_before_the_database_was_read() -> None:
    before, after = {MAIN: "1", OURS: "2"}, {MAIN: "1", OURS: "3"}
    assert repositories.agreed(before, after, {OURS}) == before


def test_a_branch_at_work_that_was_pushed_meanwhile_is_pushed_again() -> None:
    assert repositories.agreed({MAIN: "1"}, {MAIN: "1", OURS: "2"}, {OURS}) == {MAIN: "1"}


def test_what_the_database_says_of_a_merge_is_there() -> None:
    before, after = {MAIN: "1", OURS: "2"}, {MAIN: "3", OURS: "2"}
    assert repositories.agreed(before, after, set()) == after


def test_a_repository_that_was_added_meanwhile_is_as_it_is() -> None:
    assert repositories.agreed(None, {MAIN: "1"}, {MAIN}) == {MAIN: "1"}


async def test_a_session_at_work_loses_a_push_that_the_database_has_not_heard_of(
    kept: Kept, target: Config, tmp_path: Path
) -> None:
    """Pushed between the two looks at the refs: by the moment of the database it was not there."""
    bare = kept.place.data / "repositories" / "1.git"
    branch = f"refs/heads/{kept.task.session.head_ref}"

    def push(what: str, done: int, _all: int) -> None:
        if (what, done) == ("database", 0):
            git("update-ref", branch, "refs/heads/main", cwd=bare)
            git("update-ref", "refs/heads/somebodys", "refs/heads/main", cwd=bare)

    await back_up(kept.place, tmp_path / "backup.tar.gz", progress=push)
    await restore(place_of(target), tmp_path / "backup.tar.gz")
    there = git("for-each-ref", "--format=%(refname)", cwd=target.data / "repositories" / "1.git")
    assert there.split() == ["refs/heads/main", "refs/heads/somebodys"]


async def test_an_empty_repository_comes_back_empty(
    world: World, target: Config, tmp_path: Path
) -> None:
    source = tmp_path / "nothing"
    source.mkdir()
    git("init", "-q", "-b", "trunk", cwd=source)
    await world.administration.add_repository("alice/empty", str(source))
    await back_up(place_of(world.parts.config), tmp_path / "backup.tar.gz")
    await restore(place_of(target), tmp_path / "backup.tar.gz")
    there = target.data / "repositories" / "2.git"
    assert git("symbolic-ref", "HEAD", cwd=there).strip() == "refs/heads/trunk"
    assert git("for-each-ref", cwd=there) == ""
