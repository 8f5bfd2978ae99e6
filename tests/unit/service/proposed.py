"""Pull requests in the embedded forge, on real git data, with or without a task behind them."""

from __future__ import annotations

from pathlib import Path

from journeyman.domain.artifacts import BranchArtifact
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Pull
from journeyman.domain.tasks import Task
from journeyman.forge import NewPull
from journeyman.store import tasks
from tests.conftest import World, git


def push(world: World, source: Path, branch: str, files: dict[str, str]) -> str:
    """A commit onto *branch*, which begins at main; its id."""
    known = git("branch", "--list", branch, cwd=source).strip()
    git("checkout", "-q", *([branch] if known else ["-b", branch, "main"]), cwd=source)
    for name, content in files.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(content)
    git("add", "-A", cwd=source)
    git("commit", "-qm", f"Change {', '.join(files)[:60]}", cwd=source)
    git("push", "-q", str(world.parts.embedded.path(world.repository.id)), branch, cwd=source)
    return git("rev-parse", "HEAD", cwd=source).strip()


async def propose(world: World, source: Path, branch: str = "topic", **files: str) -> Pull:
    """A person's pull request, with a commit of *files* (by default README.md)."""
    push(world, source, branch, files or {"README.md": "# hello there\n"})
    actor = Actor((await world.principal("alice")).account)
    new = NewPull(f"Title of {branch}", "What and why", branch, "main", draft=False)
    return await world.parts.forge.open_pull(actor, world.repository, new)


async def propose_by(world: World, source: Path, task: Task) -> Pull:
    """What *task* has pushed to its branch, proposed by it."""
    push(world, source, task.session.head_ref, {"README.md": "# hello there\n"})
    branch = BranchArtifact(task.session.head_ref, task.session.base_ref)
    await world.parts.database.write(lambda tx: tasks.add_artifact(tx, task.id, branch))
    return await world.parts.services.proposing.propose(
        await world.principal("alice"), await world.access("alice"), task.id
    )
