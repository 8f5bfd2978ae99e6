"""What every test may use: a database, a wired process without worker, the cast, a tiny repository.

Alice owns the repository, Bob may write to it, Mallory is a stranger.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog

from journeyman import app
from journeyman.config import Config, load
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Permission, Repository
from journeyman.forge import Access
from journeyman.forge.embedded import tokens
from journeyman.service.administration import Administration
from journeyman.store.database import Database, sqlite_url
from tests import engines, postgres
from tests.peers.gitea import description as gitea
from tests.peers.github import description
from tests.peers.github.description import Description

NOT_SKIPPED_IN_CI = (
    "root",
    "sandbox",
    "containers",
    "engine",
    "postgres",
    "browser",
    "npm",
    "oauth",
    "ssh",
)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.CallInfo[None], None]:
    """On CI a test that needs the machine to have something fails where it would be skipped."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    skipped = report.skipped and not hasattr(report, "wasxfail")
    needs = any(item.get_closest_marker(name) for name in NOT_SKIPPED_IN_CI)
    if skipped and needs and "CI" in os.environ:
        report.outcome = "failed"
        report.longrepr = f"skipped on CI: {report.longrepr}"


@pytest.fixture(autouse=True)
def logs_of_one_test() -> Iterator[None]:
    """A command that is run in this process sets up logging for all of it."""
    loggers = [logging.getLogger(), logging.getLogger("dbos")]
    before = [(one, list(one.handlers), one.level) for one in loggers]
    yield
    structlog.reset_defaults()
    for one, handlers, level in before:
        one.handlers[:] = handlers
        one.setLevel(level)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with an empty, migrated database, to be copied."""
    data = tmp_path_factory.mktemp("migrated")
    app.migrate(configured(data))
    return data


def configured(data: Path, **flags: object) -> Config:
    """The defaults, whatever the environment of the test run says."""
    return load(flags={"data": str(data), **flags}, environ={"HOME": str(data)})


@pytest.fixture
def data(tmp_path: Path, migrated: Path) -> Path:
    return Path(shutil.copytree(migrated, tmp_path / "data"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.running() as started:
        if started is None:
            pytest.skip("PostgreSQL is not installed")
        yield started


@pytest.fixture(scope="session")
def docker() -> Iterator[Path]:
    """The socket of a Docker of this test run."""
    yield from _engine("docker")


@pytest.fixture(scope="session")
def podman() -> Iterator[Path]:
    """The socket of a Podman of this test run."""
    yield from _engine("podman")


def _engine(name: str) -> Iterator[Path]:
    with engines.running(name) as path:
        if path is None:
            pytest.skip(f"{name} is not installed, or needs root")
        yield path


@pytest.fixture(scope="session")
def template(cluster: postgres.Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The name of an empty, migrated database, to be copied."""
    url = cluster.fresh()
    app.migrate(configured(tmp_path_factory.mktemp("template"), **{"database.url": url}))
    return url.rpartition("/")[2]


EACH_DATABASE = pytest.mark.parametrize(
    "database_url",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
    indirect=True,
)
"""For tests that use a database: once on each kind."""


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """Of an empty, migrated database; SQLite where the test does not ask for EACH_DATABASE."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return sqlite_url(request.getfixturevalue("data"))
    cluster: postgres.Cluster = request.getfixturevalue("cluster")
    return cluster.fresh(request.getfixturevalue("template"))


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def github_description(tmp_path_factory: pytest.TempPathFactory) -> Description:
    """What GitHub publishes of its API, from npm."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed; please run: sudo apt-get install npm")
    return Description(description.fetch(tmp_path_factory.mktemp("description")))


@pytest.fixture(scope="session")
def gitea_description(tmp_path_factory: pytest.TempPathFactory) -> gitea.Description:
    """What Gitea publishes of its API, from npm."""
    return _of_gitea("gitea", tmp_path_factory)


@pytest.fixture(scope="session")
def forgejo_description(tmp_path_factory: pytest.TempPathFactory) -> gitea.Description:
    """What Forgejo publishes of its API, likewise."""
    return _of_gitea("forgejo", tmp_path_factory)


def _of_gitea(name: str, places: pytest.TempPathFactory) -> gitea.Description:
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed; please run: sudo apt-get install npm")
    return gitea.Description(gitea.fetch(places.mktemp(name), name))


class Clock:
    """A time that only the test moves on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def git(*arguments: str, cwd: Path) -> str:
    """Real git with an identity and nobody's configuration."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        **{f"GIT_{who}_NAME": "Alice" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "alice@example.com" for who in ("AUTHOR", "COMMITTER")},
    }
    done = subprocess.run(
        ["git", *arguments], cwd=cwd, env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A small git repository with one commit on `main`."""
    path = tmp_path / "source"
    path.mkdir()
    git("init", "-q", "-b", "main", cwd=path)
    (path / "README.md").write_text("# hello\n")
    git("add", "-A", cwd=path)
    git("commit", "-qm", "First", cwd=path)
    return path


@dataclass(frozen=True)
class World:
    """A wired process without worker, and who and what is in it."""

    parts: app.Parts
    administration: Administration
    repository: Repository
    tokens: dict[str, str]
    """By login: alice, bob, mallory."""

    async def principal(self, login: str) -> Principal:
        return await self.parts.services.identity.authenticate(self.tokens[login])

    async def access(self, login: str) -> Access:
        """The repository as *login* sees it."""
        return await self.parts.services.identity.access(
            await self.principal(login), self.repository.owner.login, self.repository.name
        )


@pytest.fixture
async def world(data: Path, database_url: str, source: Path) -> AsyncIterator[World]:
    async with app.parts(configured(data, **{"database.url": database_url})) as parts:
        administration = Administration(parts.database, parts.embedded, tokens)
        # The first user of all administers the site, which none of the cast should.
        await administration.create_token("root")
        secrets = {
            login: (await administration.create_token(login))[0]
            for login in ("alice", "bob", "mallory")
        }
        repository = await administration.add_repository("alice/hello", str(source))
        await administration.grant("alice/hello", "bob", Permission.WRITE)
        yield World(parts, administration, repository, secrets)
