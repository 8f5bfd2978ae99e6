"""Sessions that begin on a finished checkout, in real sandboxes over a real overlay."""

from __future__ import annotations

import os
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journeyman.sandbox import Limits, Sandbox, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from journeyman.workspace import bases, checkout
from journeyman.workspace.bases import Bases
from journeyman.workspace.checkout import restore, snapshot
from tests.integration.forge.client import git
from tests.integration.sandbox.requirement import require, require_root
from tests.integration.workspace.conftest import CLONE_URL, HEAD, Project, prepared, sh

pytestmark = [pytest.mark.sandbox, pytest.mark.root]

APP = 1
WHOLE = "find . -path ./.git -prune -o -printf '%P %y %m\\n' | sort; cat README.md src/*"


class Host:
    """This machine: sessions in `sessions`, and what they can begin on."""

    def __init__(self, project: Project, directory: Path, backend: Bubblewrap) -> None:
        self.project = project
        self.backend = backend
        self.sessions = directory / "sessions"
        self.root = directory / "bases"
        self.bases = self.with_bases()
        self.boxes: list[Sandbox] = []

    def with_bases(self, least_files: int = 0) -> Bases:
        return Bases(self.root, self.backend, workspaces=self.sessions, least_files=least_files)

    async def make(self) -> Path:
        """The base of the repository as it is."""
        mirror = await self.project.mirror()
        self.bases.prepare(APP, self.project.base, mirror)
        await self.bases.prepared()
        found = await self.bases.find(APP, self.project.base)
        assert found
        assert found.name.endswith(self.project.base)
        return found

    async def start(self, name: str, base: Path | None) -> Sandbox:
        mirror = await self.project.mirror()
        files = {checkout.GITCONFIG: checkout.gitconfig("Journeyman", "agent@journeyman.invalid")}
        directory = self.sessions / name
        limits = Limits(disk_bytes=64 << 20)
        spec = SandboxSpec(name, directory, mirror, limits, files=files, base=base)
        self.boxes.append(await self.backend.start(spec))
        return self.boxes[-1]

    async def session(self, name: str, base: Path | None) -> Sandbox:
        return await prepared(await self.start(name, base), self.project)


@pytest.fixture(scope="module")
def backend() -> Bubblewrap:
    return Bubblewrap()


@pytest.fixture
async def host(project: Project, tmp_path: Path, backend: Bubblewrap) -> AsyncIterator[Host]:
    require_root()
    await require(backend)
    assert await backend.overlays()
    host = Host(project, tmp_path, backend)
    yield host
    for box in host.boxes:
        await box.close()
    await host.bases.close()
    for directory in (host.sessions, host.root):
        await backend.remove(directory)


def seen(base: Path) -> list[tuple[str, int, int, bytes]]:
    """All of *base*: names, modes, times, contents."""
    return [
        (str(path), path.lstat().st_mode, path.lstat().st_mtime_ns, path.read_bytes())
        for path in sorted(base.rglob("*"))
        if path.is_file() and not path.is_symlink()
    ]


def commit(project: Project, *commands: str) -> str:
    """A new commit on Alice's main, after *commands* in her checkout."""
    for command in commands:
        subprocess.run(command, shell=True, cwd=project.source, check=True)
    git(project.source, "add", "--all")
    git(project.source, "commit", "--quiet", "--message", "More")
    git(project.source, "push", "--quiet", "--force", str(project.bare), "HEAD:main")
    return project.base


async def test_a_session_begins_on_it_and_leaves_it_alone(host: Host) -> None:
    base = await host.make()
    before = seen(base)
    box = await host.session("one", base)
    assert await sh(box, "git diff-files; git status --porcelain") == ""  # nothing to look at again
    assert await sh(box, "git symbolic-ref --short HEAD; git rev-parse HEAD") == (
        f"{HEAD}\n{host.project.base}"
    )
    assert await sh(box, "git remote get-url origin") == CLONE_URL
    whole = await sh(box, WHOLE)
    assert whole == await sh(await host.session("clone", None), WHOLE)

    await sh(
        box, "git mv src lib && git rm -q README.md && chmod +x lib/app.py && echo 1 >> lib/app.py"
    )
    await sh(
        box, "git add . && git commit -qm Moved && git repack -qad && git update-ref -d HEAD~0 || :"
    )
    await sh(box, "rm -rf .git lib; ln -s / src; echo x > README.md; chmod 0 README.md")
    assert seen(base) == before
    assert await sh(await host.session("two", base), WHOLE) == whole


async def test_what_is_kept_comes_back_over_it_and_without_it(host: Host) -> None:
    base = await host.make()
    one = await host.session("one", base)
    assert await snapshot(one, base_sha=host.project.base) is None
    await sh(one, "git mv src lib; echo 2 >> lib/app.py; rm README.md; mkdir d; echo n > 'd/n w'")
    kept = await snapshot(one, base_sha=host.project.base)
    assert kept
    assert await snapshot(one, base_sha=host.project.base, last=kept) is None
    status = await sh(one, "git reset -q; git status --porcelain --untracked-files=all; cat lib/*")
    for name, lower in (("two", base), ("three", None)):
        box = await host.session(name, lower)
        await sh(box, "echo junk > src/app.py; echo junk > junk")
        await restore(box, kept, head_ref=HEAD)
        assert await sh(box, "git status --porcelain --untracked-files=all; cat lib/*") == status
        assert await snapshot(box, base_sha=host.project.base, last=kept) is None


async def test_a_session_comes_back_to_the_base_it_began_on(host: Host) -> None:
    base = await host.make()
    box = await host.session("one", base)
    await sh(box, "rm README.md; echo kept > new; echo ignored > ~/home")
    await box.close()
    newer = commit(host.project, "echo 2 > README.md", "echo 3 > three")
    other = await host.make()
    assert other != base
    box = await host.start("one", other)
    assert (
        await sh(box, "git status --porcelain; cat new ~/home")
        == " D README.md\n?? new\nkept\nignored".strip()
    )
    two = await host.session("two", other)
    assert await sh(two, "git rev-parse HEAD; cat three") == f"{newer}\n3"


async def test_an_older_base_is_moved_to_the_commit_and_its_refs_to_the_mirror(host: Host) -> None:
    base = await host.make()
    commit(host.project, "git rm -q README.md", "mkdir d; echo 1 > d/one", "echo 2 > src/app.py")
    git(host.project.bare, "branch", "later", "main")
    git(host.project.bare, "branch", "--delete", "--force", "topic")
    git(host.project.bare, "tag", "v9", "main")
    box = await host.session("one", base)
    assert (
        await sh(box, "git status --porcelain; git diff-files; ls; cat src/app.py") == "d\nsrc\n2"
    )
    refs = "git for-each-ref --format='%(refname) %(objectname)' | grep -v journeyman"
    assert await sh(box, refs) == await sh(await host.session("clone", None), refs)


async def test_a_base_whose_commit_the_mirror_has_lost_still_serves(host: Host) -> None:
    base = await host.make()
    git(host.project.source, "checkout", "--quiet", "--orphan", "fresh")
    commit(host.project, "echo fresh > README.md")
    for branch in ("topic",):
        git(host.project.bare, "branch", "--delete", "--force", branch)
    git(host.project.bare, "gc", "--quiet", "--prune=now")
    await host.project.mirrors.rebuild(host.project.app.id, host.project.remote)
    box = await host.session("one", base)
    assert await sh(box, "git status --porcelain; cat README.md") == "fresh"


async def test_an_interrupted_beginning_is_finished(host: Host) -> None:
    base = await host.make()
    box = await host.session("one", base)
    await sh(box, "rm .git/journeyman-ready README.md; touch .git/index.lock; echo x > src/app.py")
    await prepared(box, host.project)
    assert await sh(box, "git status --porcelain") == ""


async def test_without_its_base_a_session_begins_anew(host: Host) -> None:
    base = await host.make()
    box = await host.session("one", base)
    await sh(box, "echo lost > new")
    await box.close()
    await host.backend.remove(base)
    box = await host.session("one", None)
    assert (
        await sh(box, "git status --porcelain; ls new 2>/dev/null; cat src/app.py")
        == "print('hello')"
    )


async def test_only_what_is_worth_it_is_made_and_what_nobody_uses_is_removed(host: Host) -> None:
    host.bases = host.with_bases(least_files=1_000)
    host.bases.prepare(APP, host.project.base, await host.project.mirror())
    await host.bases.prepared()
    assert await host.bases.find(APP, host.project.base) is None

    host.bases = host.with_bases()
    old = await host.make()
    host.bases.prepare(APP, host.project.base, await host.project.mirror())
    await host.bases.prepared()
    assert len(list((host.root / str(APP)).iterdir())) == 1
    box = await host.session("one", old)
    commit(host.project, "echo 2 > two")
    new = await host.make()
    assert await host.bases.find(APP, "0" * 40) == new
    for base in (old, new):
        os.utime(base, (0, 0))
    await host.bases.sweep()
    assert {old, new} <= set(old.parent.iterdir())  # a session lies over the older one
    assert await sh(box, "cat src/app.py") == "print('hello')"
    await box.close()
    await host.backend.remove(host.sessions / "one")
    await host.bases.sweep()
    assert list(old.parent.iterdir()) == [new]
    await host.bases.sweep(unused_since=1.0)
    assert list(old.parent.iterdir()) == []


async def test_what_was_never_finished_is_removed(host: Host) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    left = host.root / f"{bases.MAKING}{ended.pid}-x"
    (left / "work").mkdir(parents=True)
    mirror = await host.project.mirror()
    host.bases.prepare(APP, "0" * 40, mirror)  # no such commit
    await host.bases.prepared()
    host.bases.prepare(APP, host.project.base, mirror)
    await host.bases.close()
    assert list(host.root.iterdir()) == [left]
    await host.bases.sweep()
    assert list(host.root.iterdir()) == []
