"""Hooks in a real sandbox: what they are given, and what becomes of their answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from journeyman.agent.customisation import hooks as documents
from journeyman.agent.customisation.hooks import Moment
from journeyman.agent.hooks import Answer, Hooks
from journeyman.agent.moments import Call, Denied, after_failure, after_tool, before_tool, stopping
from journeyman.agent.tools import Result
from journeyman.domain.events import EventType, NewEvent
from journeyman.sandbox import Network, Sandbox, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from tests.integration.sandbox.requirement import require

pytestmark = pytest.mark.sandbox

PATH = ".github/hooks/a.json"
CALL = Call("call-1", "bash", {"command": "ls"})
SEEN = "cat > ~/seen.json"


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Sandbox]:
    backend = await require(Bubblewrap())
    network = Network(("127.0.0.1:*",), ("127.0.0.0/8",))
    spec = SandboxSpec("hooks", tmp_path / "session", env={"TOKEN": "t0"}, network=network)
    box = await backend.start(spec)
    yield box
    await box.close()
    await backend.remove(spec.directory)


class Told:
    """What was appended."""

    def __init__(self) -> None:
        self.events: list[NewEvent] = []

    async def __call__(self, *new: NewEvent) -> None:
        self.events += new

    @property
    def data(self) -> list[dict[str, Any]]:
        assert {event.type for event in self.events} <= {EventType.HOOK_END}
        return [event.data for event in self.events]


def hooks_of(box: Sandbox, event: str, *entries: str | dict[str, Any]) -> Hooks:
    written = [{"bash": entry} if isinstance(entry, str) else entry for entry in entries]
    text = json.dumps({"version": 1, "hooks": {event: written}})
    found, problems = documents.read({PATH: text})
    assert not problems
    return Hooks(found, box, session_id="s1", prompt="Do it", environment={"TOKEN": "t0"})


async def denied(box: Sandbox, event: str, *entries: str | dict[str, Any]) -> str | None:
    """Why a call of bash is denied; None when it is not."""
    try:
        await before_tool(hooks_of(box, event, *entries), Told(), CALL)
    except Denied as error:
        return str(error)
    return None


def says(**said: Any) -> str:
    return f"echo '{json.dumps(said)}'"


async def seen(box: Sandbox) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads(await box.read("/home/agent/seen.json"))
    return payload


async def test_the_payload_in_both_spellings(box: Sandbox) -> None:
    result = Result("two files")
    await after_tool(hooks_of(box, "postToolUse", SEEN), Told(), CALL, result)
    payload = await seen(box)
    assert abs(payload.pop("timestamp") / 1000 - datetime.now().timestamp()) < 60  # noqa: DTZ005
    assert payload == {
        "sessionId": "s1",
        "cwd": "/workspace",
        "toolName": "bash",
        "toolArgs": {"command": "ls"},
        "toolResult": {"resultType": "success", "textResultForLlm": "two files"},
    }
    await after_tool(hooks_of(box, "PostToolUse", SEEN), Told(), CALL, result)
    payload = await seen(box)
    assert datetime.fromisoformat(payload.pop("timestamp")).tzinfo is not None
    assert payload == {
        "hook_event_name": "PostToolUse",
        "session_id": "s1",
        "cwd": "/workspace",
        "tool_name": "bash",
        "tool_input": {"command": "ls"},
        "tool_result": {"result_type": "success", "text_result_for_llm": "two files"},
    }
    searching = Call("call-2", "search", {"pattern": "toolName"})
    await before_tool(hooks_of(box, "PreToolUse", SEEN), Told(), searching)
    payload = await seen(box)
    assert (payload["tool_name"], payload["tool_input"]) == ("Grep", {"pattern": "toolName"})
    await before_tool(hooks_of(box, "preToolUse", SEEN), Told(), searching)
    assert (await seen(box))["toolName"] == "grep"


async def test_where_a_command_runs_and_what_it_is_given(box: Sandbox) -> None:
    await box.exec("mkdir scripts")
    entry = {
        "bash": "pwd; echo $LEVEL/$TOKEN/$COPILOT_AGENT_PROMPT; cat /dev/stdin | wc -l; echo e >&2",
        "cwd": "scripts",
        "env": {"LEVEL": "a-$TOKEN-${HOME}-$NOTHING"},
    }
    told = Told()
    (answer,) = await hooks_of(box, "sessionStart", entry).fire(Moment.SESSION_START, told)
    assert answer.stdout == "/workspace/scripts\na-t0-/home/agent-/t0/Do it\n0"
    (data,) = told.data
    del data["hookInvocationId"], data["duration"]
    assert data == {
        "hookType": "sessionStart",
        "source": f"{PATH}:1",
        "success": True,
        "exitCode": 0,
        "output": answer.stdout,
    }


async def test_what_a_hook_decides_before_a_tool(box: Sandbox) -> None:
    no = says(permissionDecision="deny", permissionDecisionReason="not today")
    yes = says(permissionDecision="allow")
    assert await denied(box, "preToolUse", no) == "Denied by preToolUse hook: not today"
    assert await denied(box, "preToolUse", yes, no, "touch ~/never") is not None
    assert (await box.exec("test -e ~/never")).exit_code == 1
    assert await denied(box, "preToolUse", says(permissionDecision="ask")) is not None
    errored = "Denied by preToolUse hook (hook errored)"
    assert await denied(box, "preToolUse", f"{yes}; exit 1") == errored
    assert await denied(box, "preToolUse", "no-such-program") == errored
    assert await denied(box, "preToolUse", {"bash": "true", "cwd": "nowhere"}) == errored
    two = f"{yes}; echo because >&2; exit 2"
    assert await denied(box, "preToolUse", two) == "Denied by preToolUse hook: because"
    for harmless in (
        yes,
        "true",
        "echo nonsense",
        "echo '{} {}'",
        says(permissionDecision="perhaps"),
        {"bash": no, "matcher": "edit"},
        {"bash": f"{no}; sleep 9", "timeoutSec": 0.2},
        f"{no}; head -c 2000000 /dev/zero",
    ):
        assert await denied(box, "preToolUse", harmless) is None, harmless
    progress = 'echo \'{"type": "progress", "message": "looking"}\'; ' + no
    assert await denied(box, "preToolUse", progress) is not None


async def test_arguments_may_be_changed_and_the_last_change_counts(box: Sandbox) -> None:
    first = says(modifiedArgs={"command": "ls -a"})
    made = await before_tool(hooks_of(box, "preToolUse", first, "true"), Told(), CALL)
    assert made.arguments == {"command": "ls -a"}
    second = (
        'python3 -c \'import json, sys; had = json.load(sys.stdin)["toolArgs"]["command"]; '
        'print(json.dumps({"modifiedArgs": {"command": had + " -l"}}))\''
    )
    made = await before_tool(hooks_of(box, "preToolUse", first, second), Told(), CALL)
    assert made.arguments == {"command": "ls -l"}


async def test_results_may_be_changed_and_added_to(box: Sandbox) -> None:
    changed = says(modifiedResult={"resultType": "success", "textResultForLlm": "[hidden]"})
    hooks = hooks_of(box, "postToolUse", changed, says(additionalContext="Mind the gap."))
    made = await after_tool(hooks, Told(), CALL, Result("secret"))
    assert made.text == "[hidden]\n\n[A hook of this repository adds:]\nMind the gap."
    failed = says(modifiedResult={"resultType": "failure", "textResultForLlm": "too old"})
    made = await after_tool(hooks_of(box, "postToolUse", failed), Told(), CALL, Result("fine"))
    assert (made.text, made.success) == ("too old", False)
    hooks = hooks_of(
        box,
        "postToolUseFailure",
        "echo try again; exit 2",
        says(additionalContext="Or not."),
        "echo unheard; exit 3",
    )
    told = Told()
    text = await after_failure(hooks, told, CALL, "no such file")
    assert text == "no such file\n\n[A hook of this repository adds:]\ntry again\n\nOr not."
    assert [data["success"] for data in told.data] == [False, True, False]
    assert told.data[2]["error"] == {"message": "exited with 3"}


async def test_an_end_may_be_refused_eight_times(box: Sandbox) -> None:
    hooks = hooks_of(box, "agentStop", says(decision="block", reason="Run the tests."))

    async def again(forced: int) -> NewEvent | None:
        return (await stopping(hooks, Told(), Moment.AGENT_STOP, forced=forced))[1]

    message = await again(7)
    assert message is not None
    assert message.data == {"content": "Run the tests.", "source": "hooks"}
    assert await again(8) is None


async def test_one_that_never_ends_is_stopped_with_all_it_has_begun(box: Sandbox) -> None:
    told = Told()
    hooks = hooks_of(box, "sessionStart", {"bash": "sleep 77 & sleep 77", "timeoutSec": 0.3})
    (answer,) = await hooks.fire(Moment.SESSION_START, told)
    assert not answer.succeeded
    assert told.data[0]["error"] == {"message": "timed out after 0.3 seconds: sleep 77 & sleep 77"}
    assert b"sleep 77" not in (await box.exec("ps -e -o args")).output


async def test_a_call_goes_through_the_firewall(box: Sandbox) -> None:
    entry = {
        "type": "http",
        "url": "https://hooks.example/x",
        "headers": {"X-Token": "$TOKEN"},
        "allowedEnvVars": ["TOKEN"],
    }
    told = Told()
    (answer,) = await hooks_of(box, "preToolUse", entry).fire(
        Moment.PRE_TOOL_USE, told, subject="bash", **CALL.fields
    )
    assert answer.failure == "the firewall: hooks.example is not on the allowlist"
    assert await denied(box, "preToolUse", entry) is None


async def test_a_call_gets_the_payload_and_its_answer_counts(box: Sandbox) -> None:
    script = (
        "import http.server as h, json\n"
        "class H(h.BaseHTTPRequestHandler):\n"
        " def do_POST(self):\n"
        "  data = json.loads(self.rfile.read(int(self.headers['content-length'])))\n"
        "  said = json.dumps({'additionalContext': data['sessionId'] + self.headers['X-A']})\n"
        "  self.send_response(200 if self.path == '/ok' else 500)\n"
        "  self.end_headers()\n"
        "  self.wfile.write(said.encode())\n"
        "h.HTTPServer(('127.0.0.1', 8123), H).serve_forever()\n"
    )
    await box.write("peer.py", script.encode())
    await box.exec(
        "python3 peer.py 2>/dev/null & until curl -s 127.0.0.1:8123; do sleep 0.05; done"
    )

    async def call(path: str) -> Answer:
        url = f"http://127.0.0.1:8123/{path}"
        entry = {"type": "http", "url": url, "headers": {"X-A": "yes"}}
        hooks = hooks_of(box, "sessionStart", entry)
        return (await hooks.fire(Moment.SESSION_START, Told()))[0]

    assert (await call("ok")).said == {"additionalContext": "s1yes"}
    assert (await call("broken")).failure == "http://127.0.0.1:8123/broken answered 500"
