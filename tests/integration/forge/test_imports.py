"""Bringing repositories onto the embedded forge."""

import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from journeyman.domain.errors import AppError, Code
from journeyman.forge.embedded.forge import EmbeddedForge
from tests.contract.records import MemoryRecords
from tests.integration.forge.client import commit, git, repository


@pytest.fixture
def forge(tmp_path: Path) -> EmbeddedForge:
    return EmbeddedForge(MemoryRecords(), tmp_path / "repositories")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return repository(tmp_path / "source")


def left_behind(tmp_path: Path) -> list[str]:
    root = tmp_path / "repositories"
    return sorted(path.name for path in root.iterdir()) if root.exists() else []


async def test_branches_and_tags_come_along_and_nothing_else(
    forge: EmbeddedForge, source: Path
) -> None:
    git(source, "update-ref", "refs/pull/1/head", "HEAD")
    git(source, "update-ref", "refs/remotes/origin/x", "HEAD")
    (source / ".git/hooks/post-checkout").write_text("#!/bin/sh\nexit 1\n")
    assert await forge.import_repository(7, str(source)) == "main"
    bare = forge.path(7)
    refs = git(bare, "for-each-ref", "--format=%(refname)").splitlines()
    assert refs == ["refs/heads/main", "refs/heads/topic", "refs/tags/v1"]
    assert not (bare / "hooks").exists()
    assert str(source) not in (bare / "config").read_text()
    git(bare, "fsck", "--full")


@pytest.mark.parametrize("made", ["bare", "worktree", "relative", "file address"])
async def test_every_kind_of_local_repository_is_taken(
    forge: EmbeddedForge,
    source: Path,
    tmp_path: Path,
    made: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = str(source)
    if made == "bare":
        git(tmp_path, "clone", "-q", "--bare", str(source), "bare")
        given = str(tmp_path / "bare")
    elif made == "worktree":
        git(source, "worktree", "add", "-q", "../tree", "topic")
        given = str(tmp_path / "tree")
    elif made == "relative":
        monkeypatch.chdir(tmp_path)
        given = "source"
    elif made == "file address":
        given = f"file://{source}"
    assert await forge.import_repository(7, given) == ("topic" if made == "worktree" else "main")
    assert git(forge.path(7), "rev-parse", "main") == git(source, "rev-parse", "main")


async def test_the_default_branch_is_the_sources_or_the_likeliest(
    forge: EmbeddedForge, source: Path
) -> None:
    git(source, "checkout", "-q", "topic")
    assert await forge.import_repository(1, str(source)) == "topic"
    git(source, "checkout", "-q", "--detach", "main")
    assert await forge.import_repository(2, str(source)) == "main"
    git(source, "symbolic-ref", "HEAD", "refs/heads/unborn")
    assert await forge.import_repository(3, str(source)) == "main"
    git(source, "branch", "-m", "main", "zebra")
    assert await forge.import_repository(4, str(source)) == "topic"


async def test_an_empty_repository_is_taken_with_its_unborn_branch(
    forge: EmbeddedForge, tmp_path: Path
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q", "-b", "trunk")
    assert await forge.import_repository(7, str(empty)) == "trunk"
    assert git(forge.path(7), "for-each-ref") == ""
    assert (forge.path(7) / "HEAD").read_text() == "ref: refs/heads/trunk\n"


async def refused(forge: EmbeddedForge, source: str, code: Code, message: str) -> None:
    with pytest.raises(AppError, match=message) as caught:
        await forge.import_repository(7, source)
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ("", Code.INVALID, "neither a path nor an address"),
        ("--upload-pack=touch x", Code.INVALID, "neither a path nor an address"),
        ("/nowhere/at/all", Code.INVALID, "'/nowhere/at/all' does not exist"),
        ("ext::sh -c true", Code.INVALID, "'ext::sh -c true' does not exist"),
        ("ftp://example.com/x", Code.INVALID, "unknown scheme; use one of file, git, http"),
        ("http://127.0.0.1:1/x.git", Code.UNAVAILABLE, "cannot be read: .*127.0.0.1 port 1"),
        ("http://[bad/x", Code.INVALID, "cannot be read"),
    ],
)
async def test_a_source_that_cannot_be_had_is_named(
    forge: EmbeddedForge, tmp_path: Path, given: str, code: Code, message: str
) -> None:
    await refused(forge, given, code, message)
    assert left_behind(tmp_path) == []


async def test_a_path_that_is_not_git_is_named(forge: EmbeddedForge, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    await refused(forge, str(plain), Code.INVALID, "plain' is not a git repository")
    (plain / "file").write_text("x")
    await refused(forge, str(plain / "file"), Code.INVALID, "file' is not a git repository")
    assert left_behind(tmp_path) == []


async def test_a_shallow_clone_is_refused_with_the_way_out(
    forge: EmbeddedForge, source: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{source}", "shallow")
    await refused(forge, str(tmp_path / "shallow"), Code.INVALID, "git fetch --unshallow")
    assert left_behind(tmp_path) == []


async def test_a_broken_source_leaves_nothing_behind(
    forge: EmbeddedForge, source: Path, tmp_path: Path
) -> None:
    blob = git(source, "rev-parse", "main:README.md")
    (source / ".git/objects" / blob[:2] / blob[2:]).unlink()
    await refused(forge, str(source), Code.UNAVAILABLE, "source' cannot be read")
    assert left_behind(tmp_path) == []


async def test_a_repository_is_imported_once(forge: EmbeddedForge, source: Path) -> None:
    await forge.import_repository(7, str(source))
    await refused(forge, str(source), Code.CONFLICT, "is there already")


async def test_the_sources_configuration_runs_nothing(
    forge: EmbeddedForge, source: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "marker"
    for key in (
        "uploadpack.packObjectsHook",
        "core.fsmonitor",
        "core.sshCommand",
        "core.gitProxy",
        "core.alternateRefsCommand",
    ):
        git(source, "config", key, f"touch {marker}; false")
    await forge.import_repository(7, str(source))
    assert not marker.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a repository to another user")
@pytest.mark.root
async def test_another_users_repository_is_taken_because_it_was_named(
    forge: EmbeddedForge, source: Path
) -> None:
    for path in (source, *source.rglob("*")):
        os.chown(path, 12345, 12345)
    assert await forge.import_repository(7, str(source)) == "main"


class DumbGit(http.server.SimpleHTTPRequestHandler):
    """Serves a directory to those with the password; notes what it was sent."""

    authorization: str | None = None

    def do_GET(self) -> None:
        DumbGit.authorization = self.headers.get("authorization")
        if DumbGit.authorization != "Basic dXNlcjpwYXNzIHdvcmQ=":
            self.send_response(401)
            self.send_header("www-authenticate", "Basic")
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def dumb(source: Path) -> Iterator[str]:
    git(source, "update-server-info")
    shutil.copytree(source / ".git", source / "served.git")

    class Here(DumbGit):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(source))  # type: ignore[arg-type]

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Here)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_address[1]}/served.git"
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_password_in_the_address_is_used_and_neither_kept_nor_shown(
    forge: EmbeddedForge, dumb: str
) -> None:
    with pytest.raises(AppError, match="asks for a credential") as caught:
        await forge.import_repository(7, f"http://user:wrong@{dumb}")
    assert "wrong" not in str(caught.value)
    assert await forge.import_repository(7, f"http://user:pass%20word@{dumb}") == "main"
    kept = [path for path in forge.path(7).rglob("*") if path.is_file()]
    assert not any(b"word" in path.read_bytes() or b"dXNlcj" in path.read_bytes() for path in kept)


async def test_an_import_follows_the_sources_new_commits_not(
    forge: EmbeddedForge, source: Path
) -> None:
    await forge.import_repository(7, str(source))
    before = git(forge.path(7), "rev-parse", "main")
    commit(source, "later.txt", "later\n")
    assert git(forge.path(7), "rev-parse", "main") == before
