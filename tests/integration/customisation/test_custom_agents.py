"""The custom agents of a repository on the embedded forge, for the list that the API serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeyman.domain.principals import Principal, TokenKind
from journeyman.domain.repositories import Permission
from journeyman.forge import Access
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.service.custom_agents import CustomAgents
from tests.conftest import git
from tests.contract.records import MemoryRecords


@pytest.fixture
async def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    (path / ".github/agents/deep").mkdir(parents=True)
    git("init", "-q", "-b", "main", cwd=path)
    return path


async def listed(source: Path, tmp_path: Path) -> list[str]:
    git("add", "-A", cwd=source)
    git("commit", "-qm", "x", "--allow-empty", cwd=source)
    records = MemoryRecords()
    app = records.add_repository(records.add_account("alice"), "app")
    forge = EmbeddedForge(records, tmp_path / "repositories")
    await forge.import_repository(app.id, str(source))
    access = Access(app, Permission.READ)
    principal = Principal(app.owner, TokenKind.CLASSIC)
    return [profile.id for profile in await CustomAgents(forge.texts).list(principal, access)]


async def test_those_of_the_default_branch_that_users_may_choose(
    source: Path, tmp_path: Path
) -> None:
    where = source / ".github/agents"
    (where / "b.agent.md").write_text("---\ndescription: x\n---\nHi")
    (where / "a.md").write_text("---\ndescription: x\n---\nHi")
    (where / "hidden.md").write_text("---\ndescription: x\nuser-invocable: false\n---\nHi")
    (where / "broken.md").write_text("---\ndescription: [\n---\nHi")
    (where / "big.md").write_text("x" * 200_000)
    (where / "link.md").symlink_to("a.md")
    (where / "deep/c.md").write_text("---\ndescription: x\n---\nHi")

    assert await listed(source, tmp_path) == ["a", "b"]


async def test_a_repository_without_any_has_none(source: Path, tmp_path: Path) -> None:
    assert await listed(source, tmp_path) == []
