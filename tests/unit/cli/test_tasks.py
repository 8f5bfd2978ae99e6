"""`journeyman task …` against a server: what is asked, what is printed, how it ends."""

import io
import json
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from journeyman import cli
from journeyman.cli import output
from tests.unit.cli.api import Api, as_json, as_stream, as_text, event, frame, task
from tests.unit.cli.conftest import Run

ID = task()["id"]
CREATE = "POST /agents/repos/alice/hello/tasks"
EVENTS = f"GET /agents/tasks/{ID}/events"
GET = f"GET /agents/tasks/{ID}"
END = frame(event("session.state_changed", "1-3", state="completed"))


def test_create_asks_in_githubs_words_and_prints_the_id_alone(api: Api, journeyman: Run) -> None:
    api.on(CREATE, as_json(task("queued"), 201))
    done = journeyman("task", "create", "alice/hello", "Fix it.", "--pull-request")
    assert (done.code, done.out) == (0, f"{ID}\n")
    assert f"journeyman task logs --follow {ID}" in done.err
    (asked,) = api.asked
    assert asked.body == {"prompt": "Fix it.", "create_pull_request": True}
    assert asked.headers["authorization"] == "Bearer ghp_alice"
    assert asked.headers["accept"] == "application/vnd.github+json"
    assert asked.headers["x-github-api-version"] == "2022-11-28"


def test_create_passes_every_option_on(api: Api, journeyman: Run) -> None:
    api.on(CREATE, as_json(task("queued"), 201))
    options = ["--base", "main", "--head", "topic", "--model", "local:coder"]
    more = ["--custom-agent", "tester", "--no-pull-request"]
    limits = ["--max-minutes", "1.5", "--max-steps", "0", "--max-tokens", "9", "--max-credits", "2"]
    journeyman("task", "create", "alice/hello", "Fix it.", *options, *more, *limits)
    expected = {
        "prompt": "Fix it.",
        "base_ref": "main",
        "head_ref": "topic",
        "model": "local:coder",
        "custom_agent": "tester",
        "create_pull_request": False,
        "limits": {"minutes": 1.5, "steps": 0, "tokens": 9, "credits": 2.0},
    }
    assert api.asked[0].body == expected


def test_a_prompt_may_come_from_a_file_or_standard_input(
    api: Api, journeyman: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.on(CREATE, as_json(task("queued"), 201))
    (tmp_path / "prompt.md").write_text("from a file")
    journeyman("task", "create", "alice/hello", "-F", str(tmp_path / "prompt.md"))
    monkeypatch.setattr(sys, "stdin", _typed("aus der Küche".encode()))
    journeyman("task", "create", "alice/hello", "-F", "-")
    assert [a.body["prompt"] for a in api.asked] == ["from a file", "aus der Küche"]


def _typed(given: bytes) -> io.TextIOWrapper:
    """As Python has standard input where the locale is C."""
    return io.TextIOWrapper(io.BytesIO(given), "ascii", "surrogateescape")


def test_what_is_no_text_is_not_sent(
    api: Api, journeyman: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", _typed(b"\x7fELF\xd0"))
    done = journeyman("task", "create", "alice/hello", "-F", "-")
    assert (done.code, api.asked) == (2, [])
    assert "cannot read the prompt from '-': it is not text in UTF-8" in " ".join(
        done.err.replace("│", " ").split()
    )
    done = journeyman("task", "steer", ID, "caf\udce9")
    assert (done.code, api.asked) == (2, [])
    assert "what is to be sent is not text in UTF-8" in done.err


def test_an_id_may_be_given_by_its_beginning(api: Api, journeyman: Run) -> None:
    api.on("GET /agents/task-ids", as_json({"task_ids": [ID]}))
    api.on(GET, as_json(task()))
    api.on(EVENTS, as_json({"events": []}))
    assert ID in journeyman("task", "view", ID[:8].upper()).out
    assert api.asked[0].query == {"prefix": ID[:8]}
    assert journeyman("task", "logs", ID[:-1]).code == 0
    asked = len(api.asked)
    journeyman("task", "view", ID)
    assert len(api.asked) == asked + 1


def test_a_beginning_of_several_ids_or_of_none_is_refused(api: Api, journeyman: Run) -> None:
    other = ID[:-1] + "2"
    api.on("GET /agents/task-ids", as_json({"task_ids": [ID, other]}), as_json({"task_ids": []}))
    done = journeyman("task", "cancel", ID[:6])
    assert done.code == 2
    assert f"several tasks begin with '{ID[:6]}'; type more of it: {ID}, {other}" in done.err
    api.on(f"POST /agents/tasks/{ID[:6]}/cancel", as_json({"message": "Not Found"}, 404))
    done = journeyman("task", "cancel", ID[:6])
    assert done.code == 1
    assert f"has no task {ID[:6]}, or your token does not reach it" in done.err


def test_a_recording_that_cannot_be_written_is_said(
    api: Api, journeyman: Run, tmp_path: Path
) -> None:
    told = {"repository": "alice/hello", "baseRef": "main", "baseSha": "1f" * 20}
    begun = event("session.start", **told, headRef="topic", model="script")
    api.on(EVENTS, as_json({"events": [begun, event("user.message", "1-2", content="Hi")]}))
    done = journeyman("task", "record", ID, "-o", str(tmp_path / "missing" / "file"))
    assert done.code == 2
    assert "cannot write" in done.err
    assert "No such file or directory" in done.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["create", "hello", "Fix it."], "is not OWNER/REPO"),
        (["create", "alice/hello"], "say what is to be done"),
        (["create", "alice/hello", "a", "-F", "b"], "give one of them"),
        (["create", "alice/hello", "a", "--max-minutes", "nan"], "nan is no limit"),
        (["create", "alice/hello", "a", "--max-credits", "inf"], "inf is no limit"),
        (["list", "hello"], "is not OWNER/REPO"),
        (["list", "../hello"], "is not OWNER/REPO"),
        (["list", "alice/.."], "is not OWNER/REPO"),
        (["create", "alice/hello", "-F", "/nowhere"], "cannot read the prompt"),
        (["list", "--limit", "0"], "--limit"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_wrong_usage_is_said_and_ends_with_2(
    api: Api, journeyman: Run, arguments: list[str], says: str
) -> None:
    done = journeyman("task", *arguments)
    assert done.code == 2
    assert says in done.err
    assert api.asked == []


def test_list_is_a_table_or_json(api: Api, journeyman: Run) -> None:
    api.on("GET /agents/tasks", as_json({"tasks": [task(), task("failed")]}))
    table = journeyman("task", "list").out
    assert ID in table
    assert "✓ completed" in table
    assert "✗ failed" in table
    assert "alice/hello" in table
    assert json.loads(journeyman("task", "list", "--json").out) == [task(), task("failed")]


def test_a_narrow_terminal_cuts_no_id_and_no_address(
    api: Api, journeyman: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = task("failed", name="Greet " * 20, state_reason="model_not_configured")
    api.on("GET /agents/tasks", as_json({"tasks": [long]}))
    api.on(GET, as_json(long))
    screen, of_the_command = pty.openpty()
    termios.tcsetwinsize(of_the_command, (24, 80))
    with open(of_the_command, "w") as terminal, open(screen, "rb"):
        for command, whole in ((["list"], ID), (["view", ID], long["html_url"])):
            monkeypatch.setattr(sys, "stdout", terminal)
            monkeypatch.setattr(sys, "argv", ["journeyman", "task", *command])
            with pytest.raises(SystemExit):
                cli.main()
            print("the end", file=terminal, flush=True)
            seen = b""
            while b"the end" not in seen:  # what was written may come in parts
                seen += os.read(screen, 65_536)
            drawn = output.clean(seen.decode())
            assert whole in drawn
            if command == ["list"]:
                assert max(len(line) for line in drawn.splitlines()) <= 80


def test_list_of_a_repository_filters_and_pages(api: Api, journeyman: Run) -> None:
    path = "GET /agents/repos/alice/hello/tasks"
    api.on(path, as_json({"tasks": [task()] * 100}), as_json({"tasks": [task()] * 20}))
    states = ["--state", "failed", "--state", "cancelled"]
    done = journeyman("task", "list", "alice/hello", *states, "--limit", "150", "--json")
    assert len(json.loads(done.out)) == 120
    assert [asked.query for asked in api.asked] == [
        {"per_page": "100", "state": "failed,cancelled", "page": "1"},
        {"per_page": "100", "state": "failed,cancelled", "page": "2"},
    ]


def test_view_shows_what_was_made_and_why_it_failed(api: Api, journeyman: Run) -> None:
    branch = {"head_ref": "journeyman/greet-1", "base_ref": "main"}
    session = {
        "id": "s",
        "state": "failed",
        "created_at": "2026-01-02T03:04:05Z",
        "completed_at": "2026-01-02T03:04:15Z",
        "base_ref": "main",
        "error": {"message": "Block 1 exited with 1."},
        "usage": {"type": "ai_credits", "amount": 1_500_000_000},
    }
    artifacts = [
        {"provider": "github", "type": "branch", "data": branch},
        {"provider": "github", "type": "pull", "data": {"id": 7, "number": 3}},
        {"provider": "github", "type": "pull", "data": {"id": 8}},
    ]
    shown = task("failed", artifacts=artifacts, sessions=[session], state_reason="command_failed")
    api.on(GET, as_json(shown))
    out = journeyman("task", "view", ID).out
    for words in (
        "✗ failed (command_failed)",
        "Block 1 exited with 1.",
        "branch journeyman/greet-1",
        "pull request #3  http://host/alice/hello/pull/3",
        "pull request (id 8)",
        "10 s",
        "1.5 credits",
    ):
        assert words in out
    assert json.loads(journeyman("task", "view", ID, "--json").out) == shown


def test_logs_page_through_the_whole_log(api: Api, journeyman: Run) -> None:
    many = [event("session.info", f"1-{n}", message=f"line {n}") for n in range(1, 101)]
    last = [event("session.info", "1-101", message="line 101")]
    api.on(EVENTS, as_json({"events": many, "total": 101}), as_json({"events": last, "total": 101}))
    lines = journeyman("task", "logs", ID).out.splitlines()
    assert len(lines) == 101
    assert lines[-1].endswith("line 101")


def test_what_failed_before_it_began_cannot_be_recorded(api: Api, journeyman: Run) -> None:
    failed = event("session.state_changed", state="failed", reason="sandbox_unavailable")
    api.on(EVENTS, as_json({"events": [failed], "total": 1}))
    done = journeyman("task", "record", ID)
    assert (done.code, done.out) == (1, "")
    assert (
        f"Task {ID}: its work never began, or has not yet: there is nothing to record" in done.err
    )


def test_what_an_agent_writes_cannot_steer_the_terminal(api: Api, journeyman: Run) -> None:
    nasty = "\x1b]0;owned\x07\x1b[2Jclear\x1b[31m\x07\x9b1m"
    events = [
        event("assistant.message", content=f"hi {nasty}"),
        event("tool.execution_start", toolName="bash", arguments={"command": f"ls {nasty}"}),
        event("tool.execution_complete", success=True, result={"content": f"out {nasty}"}),
        event("artifact.created", type="branch", data={"head_ref": nasty}),
    ]
    api.on(EVENTS, as_json({"events": events, "total": 4}))
    api.on("GET /agents/tasks", as_json({"tasks": [task(name=nasty)]}))
    for command in (["logs", ID], ["list"]):
        out = journeyman("task", *command).out
        assert "clear" in out
        assert not set(out) & {"\x1b", "\x07", "\x9b"}


def test_follow_shows_each_event_once_across_a_broken_connection(api: Api, journeyman: Run) -> None:
    one = frame(event("session.info", "1-1", message="one"))
    two = frame(event("session.info", "1-2", message="two"))
    api.on(EVENTS, as_stream(one, cut=True), as_stream(": heartbeat\n\n", one, two, END))
    api.on(GET, as_json(task()))
    done = journeyman("task", "logs", "--follow", ID)
    assert done.code == 0
    lines = [line[10:] for line in done.out.splitlines()]
    assert lines == ["· one", "· two", "✓ completed"]
    again = api.requests(EVENTS)[1].headers
    assert again["last-event-id"] == "1-1"
    assert again["accept"] == "text/event-stream"


def test_follow_goes_on_into_the_newest_session(api: Api, journeyman: Run) -> None:
    later = frame(event("session.info", "2-1", message="again"))
    end = frame(event("session.state_changed", "2-2", state="failed"))
    api.on(EVENTS, as_stream(END, later, end))
    api.on(GET, as_json(task("failed", session_count=2)))
    assert "again" in journeyman("task", "logs", "-f", ID).out


def test_follow_prints_events_as_json_lines(api: Api, journeyman: Run) -> None:
    live = {"type": "assistant.message_delta", "ephemeral": True, "data": {"deltaContent": "x"}}
    api.on(EVENTS, as_stream(frame(live), END, "event: end\ndata: {}\n\n"))
    api.on(GET, as_json(task()))
    lines = journeyman("task", "logs", "--follow", ID, "--json").out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["1-3"]


@pytest.mark.parametrize(("state", "code"), [("completed", 0), ("failed", 1), ("cancelled", 1)])
def test_create_wait_ends_as_the_task_did(api: Api, journeyman: Run, state: str, code: int) -> None:
    api.on(CREATE, as_json(task("queued"), 201))
    api.on(EVENTS, as_stream(frame(event("session.state_changed", "1-2", state=state))))
    api.on(GET, as_json(task(state)))
    done = journeyman("task", "create", "alice/hello", "Fix it.", "--wait", "--json")
    assert done.code == code
    assert json.loads(done.out)["state"] == state


def test_create_follow_stops_at_a_question_and_says_how_to_answer(
    api: Api, journeyman: Run
) -> None:
    api.on(CREATE, as_json(task("queued"), 201))
    asks = frame(event("user_input.requested", "1-1", question="Which one?", choices=["a", "b"]))
    waits = frame(event("session.state_changed", "1-2", state="waiting_for_user"))
    api.on(EVENTS, as_stream(asks, waits))
    api.on(GET, as_json(task("waiting_for_user")))
    done = journeyman("task", "create", "alice/hello", "Fix it.", "--follow")
    assert done.code == 1
    assert "? Which one?" in done.out
    assert f"journeyman task steer {ID}" in done.err


def test_following_can_be_interrupted_politely(api: Api, tmp_path: Path) -> None:
    """A real process, because it is about a signal."""
    api.on(EVENTS, as_stream(frame(event("session.info", "1-1", message="one")), cut=True))
    api.on(GET, as_json(task("in_progress")))
    env = {"HOME": str(tmp_path), "JOURNEYMAN_URL": api.url, "JOURNEYMAN_TOKEN": "ghp_alice"}
    # However the tests were started: in the background a shell has SIGINT ignored.
    reset = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    run = "from journeyman.cli import main; sys.argv[0] = 'journeyman'; main()"
    command = [sys.executable, "-c", reset + run, "task", "logs", "--follow", ID]
    with subprocess.Popen(
        command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "one" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert f"Resume: journeyman task logs --follow {ID}" in err
    assert "Traceback" not in err


def test_diff_prints_the_patch_as_it_is(api: Api, journeyman: Run) -> None:
    patch = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    api.on(f"GET /agents/tasks/{ID}/patch", as_text(patch))
    assert journeyman("task", "diff", ID).out == patch
    assert json.loads(journeyman("task", "diff", ID, "--json").out)["patch"] == patch


def test_diff_of_nothing_says_so(api: Api, journeyman: Run) -> None:
    api.on(f"GET /agents/tasks/{ID}/patch", as_text(""))
    done = journeyman("task", "diff", ID)
    assert (done.code, done.out, done.err) == (0, "", "no changes\n")


def test_cancel_and_steer(api: Api, journeyman: Run) -> None:
    api.on(f"POST /agents/tasks/{ID}/cancel", as_json(task("cancelled")))
    api.on(f"POST /agents/tasks/{ID}/steer", as_json(task("queued")))
    assert journeyman("task", "cancel", ID).out.strip() == "⊘ cancelled"
    assert journeyman("task", "steer", ID, "Use tabs.").code == 0
    assert api.asked[-1].body == {"content": "Use tabs."}


def test_a_task_is_archived_and_found_among_the_archived(api: Api, journeyman: Run) -> None:
    api.on(f"POST /agents/tasks/{ID}/archive", as_json(task(archived_at="2026-01-02T03:05:05Z")))
    api.on(f"POST /agents/tasks/{ID}/unarchive", as_json(task()))
    api.on("GET /agents/tasks", as_json({"tasks": [task()]}))
    assert journeyman("task", "archive", ID).err == "archived\n"
    assert ID in journeyman("task", "list", "--archived").out
    assert api.asked[-1].query["is_archived"] == "true"
    assert journeyman("task", "unarchive", ID).err == "unarchived\n"
    journeyman("task", "list")
    assert "is_archived" not in api.asked[-1].query


def test_a_pull_request_is_opened_afterwards(api: Api, journeyman: Run) -> None:
    pulls = f"POST /agents/repos/alice/hello/tasks/{ID}/pulls"
    api.on(GET, as_json(task()))
    refused = as_json({"message": "The task has pushed no branch."}, 422)
    api.on(pulls, as_json({"id": 9, "number": 4, "repository_id": 1}, 201), refused)
    done = journeyman("task", "pull-request", ID)
    assert (done.code, done.out) == (0, "http://host/alice/hello/pull/4\n")
    done = journeyman("task", "pull-request", ID)
    assert (done.code, done.out) == (2, "")
    assert "has pushed no branch" in done.err


def test_pause_says_how_to_go_on(api: Api, journeyman: Run) -> None:
    api.on(f"POST /agents/tasks/{ID}/pause", as_json(task("idle", state_reason="paused")))
    done = journeyman("task", "pause", ID)
    assert "idle" in done.out
    assert f"journeyman task steer {ID} MESSAGE" in done.err


def test_custom_agents(api: Api, journeyman: Run) -> None:
    agent = {"id": "tester", "name": "Tester", "description": "Tests.", "path": "x"}
    asked = "GET /agents/repos/alice/hello/custom-agents"
    api.on(asked, as_json({"custom_agents": [agent]}), as_json({"custom_agents": []}))
    assert json.loads(journeyman("custom-agents", "alice/hello", "--json").out) == [agent]
    none = journeyman("custom-agents", "alice/hello")
    assert (none.code, none.out) == (0, "")
    assert "no custom agents in alice/hello" in none.err


def test_models(api: Api, journeyman: Run) -> None:
    found = [
        {"id": "script", "name": "script", "provider": "journeyman", "healthy": True},
        {
            "id": "a:b",
            "name": "b",
            "provider": "a",
            "healthy": False,
            "images": True,
            "detail": "down",
            "window_tokens": 200_000,
            "price": {"input": 2.5, "output": 15.0},
        },
    ]
    api.on("GET /agents/models", as_json({"models": found}))
    assert "script" in (shown := journeyman("models").out)
    for told in ("healthy", "unavailable", "2.5 in, 15 out", "200k", "down"):
        assert told in shown
    assert json.loads(journeyman("models", "--json").out) == found


def test_usage(api: Api, journeyman: Run) -> None:
    amounts = {"amount": 250 * 10**9, "input_tokens": 12_345, "output_tokens": 67}
    found = {
        "total": amounts,
        "days": [
            {"date": "2026-01-02", "amount": 250 * 10**9},
            {"date": "2026-01-03", "amount": 0},
        ],
        "repositories": [{"name": "alice/hello", **amounts}],
        "users": [{"name": "alice", **amounts}],
        "models": [{"name": "large", **amounts}],
    }
    api.on("GET /agents/repos/alice/hello/usage", as_json(found))
    api.on("GET /agents/usage", as_json(found))
    shown = journeyman("usage", "--days", "7", "--repo", "alice/hello").out
    for told in ("2.50", "12,345", "67", "alice/hello", "large", "2026-01-02"):
        assert told in shown
    assert "2026-01-03" not in shown
    assert json.loads(journeyman("usage", "--json").out) == found
