"""What a user can cause ends in one line on standard error and a code that a script can use."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from journeyman.cli import probing
from tests.unit.cli.api import Answer, Api, as_json, task
from tests.unit.cli.conftest import Run


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    assert line.startswith("journeyman: ")
    return line


@pytest.mark.parametrize(
    ("status", "body", "code", "says"),
    [
        (401, {"message": "Bad credentials"}, 1, "Bad credentials: the token is unknown"),
        (403, {"message": "Resource not accessible"}, 1, "Resource not accessible"),
        (404, {"message": "Not Found"}, 1, "has no task x, or your token does not reach it"),
        (
            409,
            {"message": "It is over.", "errors": [{"code": "custom", "message": "It is over."}]},
            1,
            "journeyman: It is over\n",
        ),
        (
            422,
            {
                "message": "Validation Failed",
                "errors": [{"code": "custom", "message": "no model y"}],
            },
            2,
            "Validation Failed; no model y",
        ),
        (422, {"message": "Odd", "errors": "a string"}, 2, "Odd"),
        (400, {"message": "Problems parsing JSON"}, 2, "Problems parsing JSON"),
        (500, ["no object"], 1, "the server answered 500"),
        (503, {"message": "starting\n  up"}, 1, "starting up"),
    ],
)
def test_an_error_of_the_api_is_one_line(
    api: Api, journeyman: Run, status: int, body: object, code: int, says: str
) -> None:
    api.on("GET /agents/tasks/x", as_json(body, status))
    done = journeyman("task", "view", "x")
    assert done.code == code
    assert says in f"{one_line(done.err)}\n"


def test_a_token_that_may_too_little_is_told_what_it_needs(api: Api, journeyman: Run) -> None:
    refused = as_json({"message": "Resource not accessible by personal access token"}, 403)
    refused.headers["X-Accepted-GitHub-Permissions"] = "agent_tasks=write"
    api.on("POST /agents/tasks/x/cancel", refused)
    said = one_line(journeyman("task", "cancel", "x").err)
    assert "personal access token: it needs the permission agent_tasks=write" in said


def test_no_proxy_is_asked_for_a_server_on_this_machine(
    api: Api, journeyman: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    api.on("GET /agents/models", as_json({"models": []}))
    api.on("GET /healthz", as_json({"status": "ok"}))
    assert journeyman("models").code == 0
    assert probing.answers(api.url)
    assert not probing.answers("http://127.0.0.1:1")


def test_what_is_not_there_is_named_with_its_server(api: Api, journeyman: Run) -> None:
    for command in (["task", "list", "alice/nope"], ["hook", "list", "alice/nope"]):
        said = one_line(journeyman(*command).err)
        assert f"{api.url} has no repository alice/nope" in said
    assert "/hooks/9/deliveries" in one_line(
        journeyman("hook", "deliveries", "alice/hello", "9").err
    )


def test_a_renamed_repository_is_followed(api: Api, journeyman: Run) -> None:
    moved = f"{api.url}/agents/repos/alice/new/tasks"
    api.on("GET /agents/repos/alice/old/tasks", Answer(301, headers={"Location": moved}))
    api.on("POST /agents/repos/alice/old/tasks", Answer(307, headers={"Location": moved}))
    api.on("GET /agents/repos/alice/new/tasks", as_json({"tasks": []}))
    api.on("POST /agents/repos/alice/new/tasks", as_json(task("queued"), 201))
    assert journeyman("task", "list", "alice/old").code == 0
    assert journeyman("task", "create", "alice/old", "Fix it.").code == 0
    (asked,) = api.requests("POST /agents/repos/alice/new/tasks")
    assert asked.body == {"prompt": "Fix it."}
    assert asked.headers["authorization"] == "Bearer ghp_alice"


@pytest.mark.parametrize("token", ["ghp_ü", "ghp_one\nghp_two", "ghp one"])
def test_a_token_that_cannot_be_sent_is_said_and_not_shown(
    api: Api, journeyman: Run, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("JOURNEYMAN_TOKEN", token)
    done = journeyman("task", "list")
    assert done.code == 2
    assert "was it copied whole?" in one_line(done.err)
    assert token[:4] not in done.err
    assert api.asked == []


@pytest.mark.parametrize(
    "url", ["localhost:8080", "http://127.0.0.1:x", "http://[::1", "http://a b"]
)
def test_what_is_no_address_is_said(journeyman: Run, url: str) -> None:
    done = journeyman("task", "list", "--url", url)
    assert done.code == 2
    assert f"{url!r} is not an address of a server" in one_line(done.err)


@pytest.mark.parametrize("task_id", ["", "..", "../repos/alice/hello", "a b", "a?b"])
def test_an_id_leads_to_a_task_or_nowhere(api: Api, journeyman: Run, task_id: str) -> None:
    for command in (["view", task_id], ["logs", "--follow", task_id], ["cancel", task_id]):
        done = journeyman("task", *command)
        assert done.code == 2
        assert "is not a task's id" in one_line(done.err)
    assert api.asked == []


def test_a_page_that_is_no_api_is_said(api: Api, journeyman: Run) -> None:
    api.on("GET /agents/tasks/x", Answer(200, (b"<html>",), "text/html"))
    assert "JOURNEYMAN_URL" in one_line(journeyman("task", "view", "x").err)


def test_a_stream_that_is_refused_is_one_line(api: Api, journeyman: Run) -> None:
    done = journeyman("task", "logs", "--follow", "x")
    assert done.code == 1
    assert "Not Found" in one_line(done.err)


def test_a_server_that_is_not_there_is_said(
    journeyman: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: nobody answers there
        monkeypatch.setenv("JOURNEYMAN_TOKEN", "ghp_alice")
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = journeyman("task", "list", "--url", url)
    assert done.code == 1
    assert f"cannot reach {url}: is the server running?" in one_line(done.err)


def test_without_a_token_it_says_how_to_make_one(journeyman: Run) -> None:
    done = journeyman("task", "list")
    assert done.code == 1
    assert "journeyman token create --user NAME" in one_line(done.err)


def test_an_unknown_setting_is_named(journeyman: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYMAN_SERVER_PROT", "1")
    done = journeyman("config-check")
    assert done.code == 2
    assert "did you mean 'JOURNEYMAN_SERVER_PORT'?" in one_line(done.err)


def test_a_data_directory_that_cannot_be_written_is_said(journeyman: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for command in (["repo", "list"], ["serve"], ["migrate"]):
        done = journeyman(*command, "--data", str(tmp_path / "file" / "data"))
        assert done.code == 1
        assert "cannot write to the data directory" in one_line(done.err)


def test_a_data_directory_that_cannot_be_looked_into_is_said(journeyman: Run) -> None:
    """As when another user's is named; root may look everywhere, but at no name this long."""
    for command in (["repo", "list"], ["serve"], ["config-check"], ["doctor"]):
        done = journeyman(*command, "--data", f"/tmp/{'x' * 300}")
        assert done.code == 2
        assert "; run this as its owner, or name another directory with --data DIR." in one_line(
            done.err
        )


def test_a_port_that_is_taken_is_one_line_of_mcp_too(api: Api, journeyman: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = journeyman("mcp", "--http", "--port", str(taken.getsockname()[1]))
    assert done.code == 1
    assert "Address already in use. Choose another port" in one_line(done.err)


def test_a_worker_elsewhere_needs_the_servers_database(journeyman: Run, tmp_path: Path) -> None:
    place = ("--data", str(tmp_path / "data"))
    done = journeyman("worker", "--server", "https://agents.example", *place)
    assert done.code == 2
    assert "name that with --database postgresql://" in one_line(done.err)


def test_a_reader_that_leaves_early_gets_no_traceback(api: Api, tmp_path: Path) -> None:
    long = task("queued", name="n" * 500)
    api.on("GET /agents/tasks", as_json({"tasks": [long] * 100}))
    env = {"HOME": str(tmp_path), "JOURNEYMAN_URL": api.url, "JOURNEYMAN_TOKEN": "ghp_alice"}
    command = [sys.executable, "-m", "journeyman.cli", "task", "list", "--limit", "100", "--json"]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_client_command_starts_quickly(api: Api, tmp_path: Path) -> None:
    """The promise is half a second. Processor time is measured: a busy machine is not our doing."""
    api.on("GET /agents/tasks", as_json({"tasks": []}))
    env = {"HOME": str(tmp_path), "JOURNEYMAN_URL": api.url, "JOURNEYMAN_TOKEN": "ghp_alice"}
    command = [sys.executable, "-m", "journeyman.cli", "task", "list"]
    before = os.times()
    subprocess.run(command, env=env, capture_output=True, check=True)
    after = os.times()
    used = after.children_user + after.children_system
    assert used - before.children_user - before.children_system < 0.8
