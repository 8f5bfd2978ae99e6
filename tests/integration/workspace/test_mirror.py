"""Mirrors of a repository on this machine."""

import asyncio
import fcntl
import os
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from journeyman.forge import ForgeError, Remote
from journeyman.workspace.mirror import Mirrors
from tests.integration.forge.client import commit, git
from tests.integration.workspace.conftest import Project


async def push(project: Project, path: str, branch: str = "main") -> str:
    pushed = commit(project.source, path, f"{path}\n")
    git(project.source, "push", "-q", "-f", str(project.bare), f"HEAD:refs/heads/{branch}")
    return pushed


async def test_a_mirror_has_branches_and_tags_and_follows_them(project: Project) -> None:
    mirror = await project.mirror()
    assert mirror == await project.mirror()
    assert git(mirror, "rev-parse", "main", "v1").split() == [project.base, project.tip("v1")]
    pushed = await push(project, "new")
    git(project.bare, "branch", "-D", "topic")
    await project.mirror()
    assert git(mirror, "for-each-ref", "--format=%(refname) %(objectname)").splitlines() == [
        f"refs/heads/main {pushed}",
        f"refs/tags/v1 {project.tip('v1')}",
    ]


async def test_a_mirror_is_readable_by_all_and_writable_by_its_owner(project: Project) -> None:
    before = os.umask(0o077)
    try:
        mirror = await project.mirror()
        await push(project, "new")
        await project.mirror()
    finally:
        os.umask(before)
    for path in (mirror, *mirror.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode & 0o022 == 0, path
        assert mode & (0o555 if path.is_dir() else 0o444) == (0o555 if path.is_dir() else 0o444), (
            path
        )


async def test_a_mirror_that_holds_the_commit_needs_no_forge(project: Project) -> None:
    mirror = await project.mirror()
    nowhere = Remote(str(project.bare / "nowhere"))
    assert await project.mirrors.holding(project.app.id, nowhere, project.base) == mirror
    pushed = await push(project, "new")
    with pytest.raises(ForgeError):
        await project.mirrors.holding(project.app.id, nowhere, pushed)
    assert await project.mirrors.holding(project.app.id, project.remote, pushed) == mirror


async def test_a_commit_that_no_branch_holds_any_more_is_fetched_by_its_id(
    project: Project,
) -> None:
    lost = await push(project, "lost", "gone")
    git(project.bare, "branch", "-D", "gone")
    mirror = await project.mirrors.refresh(project.app.id, project.remote, commit=lost)
    assert git(mirror, "cat-file", "-t", lost) == "commit"
    with pytest.raises(ForgeError, match="does not have the commit"):
        await project.mirrors.refresh(project.app.id, project.remote, commit="12" * 20)


async def test_what_a_running_session_needs_is_never_pruned(project: Project) -> None:
    old = await push(project, "old")
    await project.mirror()
    git(project.source, "reset", "-q", "--hard", "HEAD~1")
    await push(project, "rewritten")
    mirror = await project.mirror()
    assert git(mirror, "cat-file", "-t", old) == "commit"


async def test_requests_at_once_share_fetches_and_each_sees_its_own_past(project: Project) -> None:
    await project.mirror()

    async def ask(number: int) -> None:
        pushed = await push(project, f"file{number}", f"branch{number}")
        mirror = await project.mirror()
        assert git(mirror, "rev-parse", f"branch{number}") == pushed

    await asyncio.gather(*(ask(number) for number in range(4)))
    assert len(set(await asyncio.gather(*(project.mirror() for _ in range(20))))) == 1


async def test_a_waiter_that_is_cancelled_does_not_stop_the_others(project: Project) -> None:
    waiters = [asyncio.create_task(project.mirror()) for _ in range(3)]
    await asyncio.sleep(0)
    waiters[0].cancel()
    assert await waiters[1] == await waiters[2]
    assert waiters[0].cancelled()


OTHER_PROCESS = """
import asyncio, sys
from pathlib import Path
from journeyman.forge import Remote
from journeyman.workspace.mirror import Mirrors
print(asyncio.run(Mirrors(Path(sys.argv[1])).refresh(int(sys.argv[2]), Remote(sys.argv[3]))))
"""


async def test_several_processes_share_a_mirror(project: Project, tmp_path: Path) -> None:
    arguments = [str(tmp_path / "mirrors"), str(project.app.id), project.remote.url]
    others = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", OTHER_PROCESS, *arguments, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    mirror = await project.mirror()
    for other in others:
        output, _ = await other.communicate()
        assert output.decode().strip() == str(mirror)
    git(mirror, "fsck")


def cut_pack(mirror: Path) -> None:
    pack = next(mirror.glob("objects/pack/*.pack"))
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:-30])


def no_head(mirror: Path) -> None:
    (mirror / "HEAD").unlink()


def bad_config(mirror: Path) -> None:
    (mirror / "config").write_text("[[[")


def bad_ref(mirror: Path) -> None:
    (mirror / "packed-refs").write_text("# pack-refs\nnonsense\n")


async def test_many_packs_are_merged_and_no_object_is_lost(
    project: Project, tmp_path: Path
) -> None:
    project.mirrors = Mirrors(tmp_path / "mirrors", packs=3)
    lost = await push(project, "lost", "gone")
    await project.mirror()
    git(project.bare, "branch", "-D", "gone")
    for number in range(5):
        await push(project, f"file{number}")
        mirror = await project.mirror()
    assert len(list(mirror.glob("objects/pack/*.pack"))) <= 4
    assert git(mirror, "cat-file", "-t", lost) == "commit"


@pytest.mark.parametrize("harm", [cut_pack, no_head, bad_config, bad_ref])
async def test_a_mirror_that_git_cannot_use_is_built_again(project: Project, harm: object) -> None:
    mirror = await project.mirror()
    assert callable(harm)
    harm(mirror)
    pushed = await push(project, "new")
    assert await project.mirror() == mirror
    assert git(mirror, "rev-parse", "main") == pushed
    git(mirror, "fsck")


async def test_a_replaced_mirror_stays_for_who_uses_it_until_it_is_swept(project: Project) -> None:
    mirror = await project.mirror()
    held = os.open(mirror, os.O_RDONLY)
    await project.mirrors.rebuild(project.app.id, project.remote)
    assert "HEAD" in os.listdir(held)
    os.close(held)
    await project.mirrors.sweep()
    assert len(list(mirror.parent.glob(".retired-*"))) == 1
    await project.mirrors.sweep(keep_seconds=-1)
    assert sorted(path.name for path in mirror.parent.iterdir()) == ["101.git", "101.lock"]


async def test_only_a_mirror_that_is_broken_is_mended(project: Project) -> None:
    mirror, commit = await project.mirror(), project.base
    mend = partial(project.mirrors.mend, project.app.id, project.remote)
    made = [mirror.stat().st_ino]
    await mend(commit=commit)
    assert mirror.stat().st_ino == made[-1]
    (pack,) = mirror.glob("objects/pack/*.pack")
    whole = pack.read_bytes()
    pack.chmod(0o644)
    pack.write_bytes(whole[:-28] + b"x" * 8 + whole[-20:])
    await mend(commit=commit)
    made.append(mirror.stat().st_ino)
    await mend(commit=commit)
    assert mirror.stat().st_ino == made[-1]
    for index in mirror.glob("objects/pack/*"):
        index.unlink()
    await mend(commit=commit)
    made.append(mirror.stat().st_ino)
    assert len(set(made)) == 3, "what was replaced is still there"
    assert git(mirror, "rev-parse", "main") == commit


async def test_a_mirror_whose_packs_are_being_merged_is_not_taken_for_broken(
    project: Project,
) -> None:
    mirror = await project.mirror()
    before = mirror.stat().st_ino
    (pack,) = mirror.glob("objects/pack/*.pack")
    with open(mirror.parent / f"{project.app.id}.lock", "ab") as lock:  # noqa: ASYNC230
        fcntl.flock(lock, fcntl.LOCK_EX)  # as another process does for that
        pack.rename(mirror / "meanwhile")
        mending = asyncio.create_task(
            project.mirrors.mend(project.app.id, project.remote, commit=project.base)
        )
        async with asyncio.timeout(20):
            while times_open(Path(lock.name)) < 2:
                await asyncio.sleep(0.01)
        (mirror / "meanwhile").rename(pack)
    await mending
    assert mirror.stat().st_ino == before


def times_open(path: Path) -> int:
    """In this process."""
    descriptors = os.listdir("/proc/self/fd")
    return sum(os.path.realpath(f"/proc/self/fd/{one}") == str(path) for one in descriptors)


@pytest.mark.parametrize(
    ("url", "permanent"), [("/nowhere.git", True), ("http://127.0.0.1:1/x.git", False)]
)
async def test_a_remote_that_cannot_be_had_leaves_the_mirror_as_it_was(
    project: Project, tmp_path: Path, url: str, permanent: bool
) -> None:
    mirror = await project.mirror()
    with pytest.raises(ForgeError) as caught:
        await project.mirrors.refresh(project.app.id, Remote(url))
    assert caught.value.permanent is permanent
    assert git(mirror, "rev-parse", "main") == project.base
    empty = Mirrors(tmp_path / "empty")
    with pytest.raises(ForgeError):
        await empty.refresh(1, Remote(url))
    assert [path.name for path in (tmp_path / "empty").iterdir()] == ["1.lock"]


async def test_a_disk_that_takes_nothing_is_told_as_the_forges_trouble(
    project: Project, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("")
    mirrors, remote = Mirrors(tmp_path / "taken"), Remote(str(project.bare))
    with pytest.raises(ForgeError, match="mirror cannot be kept"):
        await mirrors.rebuild(1, remote)
    with pytest.raises(ForgeError, match="mirror cannot be kept"):
        await mirrors.mend(1, remote, commit=project.base)


async def test_only_known_protocols_are_spoken(project: Project, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    for url in (f"ext::sh -c 'touch {marker}'", "ftp://x/y", "fd://3"):
        with pytest.raises(ForgeError):
            await project.mirrors.refresh(5, Remote(url))
    assert not marker.exists()


async def test_an_unused_mirror_goes_and_is_built_again_when_asked_for(project: Project) -> None:
    mirror = await project.mirror()
    long_ago = 1_000_000_000
    os.utime(mirror, (long_ago, long_ago))
    await project.mirrors.tidy(long_ago + 1, in_use={project.app.id})
    assert mirror.exists(), "a session that has not ended may need it"
    await project.mirrors.tidy(long_ago, in_use=set())
    assert mirror.exists(), "it is not old enough"
    await project.mirrors.tidy(long_ago + 1, in_use=set())
    assert not mirror.exists()
    (retired,) = mirror.parent.glob(".retired-*")
    assert git(retired, "rev-parse", "main") == project.base, "who has it open goes on"
    await project.mirrors.sweep()
    assert retired.exists()
    assert git(await project.mirror(), "rev-parse", "main") == project.base
    await project.mirrors.tidy(long_ago + 1, in_use=set())
    assert mirror.exists()


async def test_loose_objects_are_packed(project: Project, tmp_path: Path) -> None:
    project.mirrors = Mirrors(tmp_path / "mirrors", loose=2)
    mirror = await project.mirror()
    for number in range(3):
        await push(project, f"file{number}")
        await project.mirror()
    assert len(list(mirror.glob("objects/[0-9a-f][0-9a-f]/*"))) <= 2
    assert git(mirror, "fsck", "--strict") == ""
