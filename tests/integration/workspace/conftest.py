"""A forge with one repository, its mirror, and a sandbox with a checkout of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.forge import Remote
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.sandbox import Sandbox, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from journeyman.workspace import checkout
from journeyman.workspace.mirror import Mirrors
from tests.contract.records import MemoryRecords
from tests.integration.forge.client import git, repository
from tests.integration.sandbox.requirement import require

HEAD = "journeyman/work-1"
CLONE_URL = "https://forge.example/alice/app.git"
TRAILERS = ("Co-authored-by: Alice O'Hara <alice@example.com>", "Log: https://example.com/1")


@dataclass
class Project:
    """Alice's repository on the embedded forge: *bare* there, *source* where she works."""

    forge: EmbeddedForge
    actor: Actor
    app: Repository
    source: Path
    bare: Path
    remote: Remote
    mirrors: Mirrors

    @property
    def base(self) -> str:
        return git(self.bare, "rev-parse", "main")

    async def mirror(self) -> Path:
        return await self.mirrors.refresh(self.app.id, self.remote)

    def tip(self, branch: str = HEAD) -> str:
        return git(self.bare, "rev-parse", branch)


@pytest.fixture
async def project(tmp_path: Path) -> Project:
    records = MemoryRecords()
    alice = records.add_account("alice")
    app = records.add_repository(alice, "app")
    forge = EmbeddedForge(records, tmp_path / "repositories")
    source = repository(tmp_path / "source")
    await forge.import_repository(app.id, str(source))
    actor = Actor(alice)
    remote = await forge.remote(actor, app)
    mirrors = Mirrors(tmp_path / "mirrors")
    return Project(forge, actor, app, source, forge.path(app.id), remote, mirrors)


Start = Callable[[str], Awaitable[Sandbox]]


@pytest.fixture
async def start(project: Project, tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the sandbox of a session, by the session's name."""
    backend = await require(Bubblewrap())
    mirror = await project.mirror()
    boxes: list[Sandbox] = []
    directories: list[Path] = []

    async def started(name: str) -> Sandbox:
        files = {checkout.GITCONFIG: checkout.gitconfig("Journeyman", "agent@journeyman.invalid")}
        spec = SandboxSpec(name, tmp_path / name, mirror=mirror, files=files)
        boxes.append(await backend.start(spec))
        directories.append(spec.directory)
        return boxes[-1]

    yield started
    for box in boxes:
        await box.close()
    for directory in directories:
        await backend.remove(directory)


async def prepared(box: Sandbox, project: Project) -> Sandbox:
    await checkout.checkout(
        box, base_sha=project.base, head_ref=HEAD, clone_url=CLONE_URL, trailers=TRAILERS
    )
    return box


@pytest.fixture
async def box(start: Start, project: Project) -> Sandbox:
    return await prepared(await start("session"), project)


async def sh(box: Sandbox, command: str) -> str:
    """What *command* prints inside, stripped; it must succeed."""
    ended = await box.exec(command, timeout_seconds=60)
    output = ended.output.decode("utf-8", "replace").strip()
    assert ended.exit_code == 0, output
    return output
