"""A server process with a repository full of tasks, for clients that know nothing of Journeyman.

The clients are unmodified and pinned; each file drives one of them. No worker runs: what the tasks
became was written down before.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from journeyman import app
from journeyman.domain.artifacts import BranchArtifact, PullArtifact
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.repositories import Permission
from journeyman.domain.sessions import State
from journeyman.domain.tasks import NewTask
from journeyman.forge.embedded import tokens
from journeyman.service.administration import Administration
from journeyman.service.ledger import Ledger
from tests.conformance.browser import logged_in
from tests.conftest import configured, git
from tests.e2e.server import Server, journeyman, running

OWNER, REPO = "octo", "hello"
FULL_NAME = f"{OWNER}/{REPO}"
TASKS = f"/agents/repos/{FULL_NAME}/tasks"
OCTOKIT = Path(__file__).parent / "octokit"
BACK = "http://127.0.0.1/back"
"""Where apps want their users back; nobody listens there."""
SEEDED = 35
"""More than one page, less than two."""


@dataclass(frozen=True)
class Seeded:
    """What is in the server's data. Alice may write, Bob may read, Mallory sees nothing."""

    tokens: dict[str, str]
    finished: str
    """A completed task with a branch, a pull request and usage."""
    archived: str
    alice_id: int


@dataclass(frozen=True)
class Forge:
    """The server as a client is told of it."""

    url: str
    tokens: dict[str, str]
    seeded: Seeded

    @property
    def token(self) -> str:
        return self.tokens["alice"]


@pytest.fixture(scope="package")
def place() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="journeyman-clients-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="package")
def server(place: Path) -> Iterator[tuple[Server, Seeded]]:
    seeded = asyncio.run(seed(place))
    with running(Server(place / "data", flags=("--no-worker",))) as started:
        yield started, seeded


@pytest.fixture
def forge(server: tuple[Server, Seeded]) -> Forge:
    started, seeded = server
    return Forge(started.url, seeded.tokens, seeded)


@dataclass(frozen=True)
class Registered:
    """An app as its makers know it."""

    client_id: str
    secret: str


@pytest.fixture(scope="package")
def apps(server: tuple[Server, Seeded]) -> dict[str, Registered]:
    """One of each kind, for the web flow and the device flow."""
    more: dict[str, tuple[str, ...]] = {
        "oauth": (),
        "github": ("--permission", "agent_tasks=write"),
    }
    return {kind: register(server[0], "--kind", kind, *more[kind]) for kind in more}


def register(server: Server, *options: str) -> Registered:
    asked = ("app", "create", "Gadget", "--callback", BACK, "--device-flow", "--json")
    done = journeyman(*asked, *options, data=server.data)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    return Registered(told["client_id"], told["client_secret"])


@pytest.fixture(scope="package")
def browser(server: tuple[Server, Seeded]) -> Iterator[httpx.Client]:
    """Alice's, who is logged in."""
    with logged_in(server[0], "alice") as opened:
        yield opened


@pytest.fixture(scope="package")
def octokit(place: Path) -> Path:
    """Where it is installed, from npm, beside the scripts that drive it."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is not installed; please run: sudo apt-get install npm")
    there = Path(shutil.copytree(OCTOKIT, place / "octokit"))
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(
        command, cwd=there, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return there


async def seed(place: Path) -> Seeded:
    source = make_source(place / "source")
    async with app.parts(configured(place / "data")) as parts:
        administration = Administration(parts.database, parts.embedded, tokens)
        secrets = {
            user: (await administration.create_token(user))[0]
            for user in ("root", "alice", "bob", "mallory")
        }
        await administration.add_repository(FULL_NAME, str(source))
        await administration.grant(FULL_NAME, "alice", Permission.WRITE)
        await administration.grant(FULL_NAME, "bob", Permission.READ)
        principal = await parts.services.identity.authenticate(secrets["alice"])
        access = await parts.services.identity.access(principal, OWNER, REPO)
        made = [
            (await parts.services.tasks.create(principal, access, NewTask(f"Task {n}"))).id
            for n in range(SEEDED)
        ]
        ledger = Ledger(parts.database, parts.live, parts.changes)
        await finish(parts, ledger, made[0], secrets["alice"])
        await parts.services.sessions.cancel(principal, made[1])
        await parts.services.tasks.archive(principal, made[1], True)
        return Seeded(secrets, made[0], made[1], principal.account.id)


async def finish(parts: app.Parts, ledger: Ledger, task_id: str, token: str) -> None:
    principal = await parts.services.identity.authenticate(token)
    session_id = (await parts.services.tasks.get(principal, task_id)).task.session.id
    held = (await ledger.take(session_id)).session
    await ledger.begin(held, "a" * 40, NewEvent(EventType.SESSION_START, {}))
    await ledger.append(held, [NewEvent(EventType.USAGE, {"cost": 1_500_000_000})])
    await ledger.add_artifact(held, BranchArtifact("fix", "main"))
    await ledger.add_artifact(held, PullArtifact(7, 1))
    await ledger.drain(held)
    await ledger.finish(held, State.COMPLETED)


def make_source(path: Path) -> Path:
    """`main`, and `fix` with one commit more."""
    path.mkdir()
    git("init", "-q", "-b", "main", cwd=path)
    (path / "README.md").write_text("# hello\n")
    git("add", "-A", cwd=path)
    git("commit", "-qm", "First", cwd=path)
    git("checkout", "-qb", "fix", cwd=path)
    (path / "fix.txt").write_text("fixed\n")
    git("add", "-A", cwd=path)
    git("commit", "-qm", "Fix", cwd=path)
    git("checkout", "-q", "main", cwd=path)
    return path
