"""What a user can do wrong: one clear message each, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import git
from tests.e2e.conftest import REPOSITORY, hello
from tests.e2e.server import JOURNEYMAN, Client, Server, journeyman, running

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]


@pytest.mark.parametrize(
    ("full_name", "body", "status", "told"),
    [
        ("alice/nothing", {"prompt": "x"}, 404, "Not Found"),
        (REPOSITORY, {}, 422, "prompt"),
        (REPOSITORY, {"prompt": " "}, 422, "prompt"),
        (REPOSITORY, {"prompt": 7}, 422, "prompt"),
        (REPOSITORY, {"prompt": "x" * 2_000_000}, 422, "2000000"),
        (REPOSITORY, {"prompt": "x", "base_ref": "nope"}, 422, "nope"),
        (REPOSITORY, {"prompt": "x", "head_ref": "main"}, 422, "main"),
        (REPOSITORY, {"prompt": "x", "model": "gpt-9"}, 422, "script"),
    ],
)
def test_a_task_that_cannot_be_is_refused_with_the_reason(
    client: Client, full_name: str, body: dict[str, Any], status: int, told: str
) -> None:
    before = client.http.get("/agents/tasks").json()["total_active_count"]
    answer = client.http.post(f"/agents/repos/{full_name}/tasks", json=body)
    assert (answer.status_code, told in answer.text) == (status, True), answer.text[:500]
    assert client.http.get("/agents/tasks").json()["total_active_count"] == before


@pytest.mark.parametrize(
    ("authorization", "message"),
    [(None, "Requires authentication"), ("Bearer ghp_nonsense", "Bad credentials")],
)
def test_a_caller_without_a_good_token_is_told_which(
    server: Server, authorization: str | None, message: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = httpx.get(f"{server.url}/agents/tasks", headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (401, message)


def test_broken_json_is_told_from_a_wrong_field(client: Client) -> None:
    answer = client.http.post(f"/agents/repos/{REPOSITORY}/tasks", content=b"{")
    assert (answer.status_code, answer.json()["message"]) == (400, "Problems parsing JSON")


def test_an_empty_repository_can_be_added_but_not_worked_on(
    client: Client, server: Server, tmp_path: Path
) -> None:
    git("init", "-q", "-b", "main", str(tmp_path / "empty"), cwd=tmp_path)
    added = journeyman("repo", "add", "alice/empty", str(tmp_path / "empty"), data=server.data)
    assert added.returncode == 0, added.stderr
    answer = client.http.post("/agents/repos/alice/empty/tasks", json={"prompt": "x"})
    assert answer.status_code == 422
    assert "empty" in answer.text


@pytest.mark.parametrize("source", ["missing", "plain"])
def test_a_path_that_is_not_git_adds_nothing(
    server: Server, tmp_path: Path, source: str, token: str
) -> None:
    (tmp_path / "plain").mkdir()
    before = journeyman("repo", "list", "--json", data=server.data).stdout
    added = journeyman("repo", "add", "alice/not-git", str(tmp_path / source), data=server.data)
    assert added.returncode == 2
    assert len(added.stderr.strip().splitlines()) == 1
    assert source in added.stderr
    assert journeyman("repo", "list", "--json", data=server.data).stdout == before


def test_a_port_in_use_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = journeyman("serve", "--port", str(port), data=tmp_path)
    assert ended.returncode == 1
    assert len(ended.stderr.strip().splitlines()) == 1
    assert f":{port}" in ended.stderr


def test_a_data_directory_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ended = journeyman("serve", "--port", "0", data=tmp_path / "file" / "data")
    assert ended.returncode == 1
    assert len(ended.stderr.strip().splitlines()) == 1
    assert "--data" in ended.stderr


def test_an_unknown_setting_is_named(tmp_path: Path) -> None:
    (tmp_path / "journeyman.toml").write_text("[server]\nprot = 8080\n")
    ended = journeyman("config-check", data=tmp_path)
    assert ended.returncode in (1, 2)
    assert "prot" in ended.stderr
    assert "port" in ended.stderr.replace("prot", "")


def test_without_bubblewrap_a_task_is_refused_and_never_runs_bare(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("git", "sh", "bash", "unshare", "setpriv", "mount", "du", "rm"):
        found = shutil.which(name)
        assert found is not None, name
        (programs / name).symlink_to(found)
    marker = tmp_path / "ran-bare"
    server = Server(tmp_path / "data", environ={"PATH": str(programs)})
    with running(server):
        made = journeyman("token", "create", "--user", "alice", data=server.data)
        journeyman("repo", "add", REPOSITORY, str(hello(tmp_path / "hello")), data=server.data)
        client = Client(server.url, made.stdout.strip())
        task = client.wait(client.create(REPOSITORY, f"```sh\ntouch {marker}\n```")["id"])
        client.http.close()
    assert (task["state"], task["state_reason"]) == ("failed", "sandbox_unavailable")
    assert "bubblewrap" in task["sessions"][0]["error"]["message"]
    assert not marker.exists()


def test_the_database_is_for_the_service_alone(server: Server) -> None:
    mode = stat.S_IMODE((server.data / "journeyman.db").stat().st_mode)
    assert mode & 0o007 == 0


def test_help_needs_no_server() -> None:
    done = subprocess.run(
        [JOURNEYMAN, "--help"], env={"PATH": os.environ["PATH"]}, capture_output=True, check=False
    )
    assert done.returncode == 0
