"""Setup steps in a real sandbox: what they leave, and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from journeyman.agent.customisation import setup as documents
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.runner import setup
from journeyman.sandbox import Sandbox, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from tests.integration.sandbox.requirement import require

pytestmark = pytest.mark.sandbox


@pytest.fixture
async def box(tmp_path: Path) -> AsyncIterator[Sandbox]:
    backend = await require(Bubblewrap())
    env = {"BASH_ENV": setup.ENVIRONMENT}
    spec = SandboxSpec("setup", tmp_path / "session", env=env)
    box = await backend.start(spec)
    yield box
    await box.close()
    await backend.remove(spec.directory)


async def run(
    box: Sandbox, *steps: dict[str, Any], job: dict[str, Any] | None = None, **options: Any
) -> list[dict[str, Any]]:
    """What was told, without its times."""
    text = yaml.safe_dump({"jobs": {documents.JOB: {**(job or {}), "steps": list(steps)}}})
    found, problems = documents.read({documents.PATHS[0]: text})
    assert found is not None, problems
    told = list[dict[str, Any]]()

    async def emit(new: Sequence[NewEvent]) -> None:
        told.extend(dict(event.data) for event in new)

    given: dict[str, Any] = {
        "github": {"repository": "alice/hello"},
        "secrets": {"TOKEN": "s3cret"},
        **options,
    }
    await setup.run(found, box, emit=emit, **given)
    return told


def outcomes(told: list[dict[str, Any]]) -> list[str]:
    return [event["outcome"] for event in told if "outcome" in event]


async def output(box: Sandbox, command: str) -> str:
    ended = await box.exec(command)
    return ended.output.decode().strip()


async def test_what_steps_export_is_there_for_later_commands(box: Sandbox) -> None:
    told = await run(
        box,
        {"run": 'echo "LEVEL=it\'s 3" >> "$GITHUB_ENV"\nmkdir -p "$HOME/tools"'},
        {"run": 'echo "$HOME/tools" >> "$GITHUB_PATH"'},
        {"run": 'printf "TEXT<<END\\none\\ntwo\\nEND\\n" >> "$GITHUB_ENV"'},
        {"run": 'printf "#!/bin/sh\\necho tool" > ~/tools/mytool; chmod +x ~/tools/mytool'},
        {"run": 'test "$(mytool) $LEVEL $TEXT" = "tool it\'s 3 one\ntwo"', "shell": "bash"},
    )
    assert outcomes(told) == ["success"] * 5, told
    assert await output(box, 'echo "$(mytool)/$LEVEL/$TEXT"') == "tool/it's 3/one\ntwo"
    # What a command sets itself reaches the scripts it starts.
    assert await output(box, "LEVEL=4 bash -c 'echo $LEVEL'") == "4"
    assert await output(box, 'echo "[$GITHUB_ENV$CI]"') == "[]"
    assert await setup.is_done(box)


async def test_a_failure_skips_the_rest_but_what_wants_to_run(box: Sandbox) -> None:
    told = await run(
        box,
        {"run": "false", "continue-on-error": True, "id": "first"},
        {"run": "echo some words; exit 7"},
        {"run": "touch never"},
        {"run": "touch always", "if": "always()"},
        {"run": "touch failed", "if": "failure() && steps.first.outcome == 'failure'"},
    )
    assert outcomes(told) == ["failure", "failure", "skipped", "success", "success"]
    assert "failed with exit code 7" in told[2]["message"]
    assert "some words" in told[2]["output"]
    assert await output(box, "ls") == "always\nfailed"


async def test_contexts_outputs_and_hashes(box: Sandbox) -> None:
    await box.write("deep/down/x.lock", b"1")
    told = await run(
        box,
        {"id": "one", "run": 'echo "colour=red" >> "$GITHUB_OUTPUT"'},
        {"run": "echo ${{ steps.one.outputs.colour }} ${{ github.repository }} $KEY > found",
         "env": {"KEY": "${{ secrets.TOKEN }}-${{ env.JOB }}"}},
        {"run": "touch hashed", "if": "hashFiles('**/x.lock') != ''"},
        {"run": "touch unhashed", "if": "hashFiles('**/y.lock') != ''"},
        {"run": "pwd > where", "working-directory": "deep/down"},
        {"run": "import sys; open('python', 'w').write(sys.argv[0])", "shell": "python"},
        job={"env": {"JOB": "job"}},
    )  # fmt: skip
    assert outcomes(told) == ["success"] * 3 + ["skipped"] + ["success"] * 2, told
    assert await output(box, "cat found") == "red alice/hello s3cret-job"
    assert await output(box, "ls; cat deep/down/where") == (
        "deep\nfound\nhashed\npython\n/workspace/deep/down"
    )


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"run": "true", "shell": "pwsh"}, "there is no shell 'pwsh'"),
        ({"run": "true", "if": "matrix.os =="}, "not run: it ends too early"),
        ({"run": "echo ${{ unknown.x }}"}, "no context 'unknown'"),
        ({"run": "true", "working-directory": "nowhere"}, "failed with exit code"),
        ({"run": "sleep 60", "timeout-minutes": 0.005}, "stopped after 0.005 minutes"),
    ],
)
async def test_what_cannot_be_run_is_said(box: Sandbox, step: dict[str, Any], message: str) -> None:
    told = await run(box, step)
    assert outcomes(told) == ["failure"]
    assert message in told[1]["message"]


async def test_the_whole_is_stopped_in_time(box: Sandbox) -> None:
    told = await run(box, {"run": "sleep 60"}, {"run": "touch never"}, most_seconds=0.3)
    assert told[-1]["message"] == "The setup was stopped after 0 s"
    assert await output(box, "ls") == ""
    assert await setup.is_done(box)


async def test_common_actions_are_done_by_what_is_there(box: Sandbox) -> None:
    told = await run(
        box,
        {"uses": "actions/checkout@v5", "with": {"submodules": "true", "fetch-depth": 0}},
        {"uses": "actions/setup-python@v6", "with": {"python-version": "3.x"}, "id": "python"},
        {"run": 'test "$(command -v python)" = "${{ steps.python.outputs.python-path }}"'},
        {"uses": "actions/cache@v4", "id": "cache", "with": {"path": "x", "key": "y"}},
        {"run": "touch filled", "if": "steps.cache.outputs.cache-hit != 'true'"},
        {"uses": "some/thing@v1"},
        {"uses": "actions/setup-dotnet@v4", "with": {"dotnet-version": "8"}},
    )
    said = [event["message"] for event in told[1:]]
    assert "the repository is checked out; ignored: submodules" in said[0]
    assert "Python 3." in said[1]
    assert outcomes(told)[2:5] == ["success"] * 3, told
    assert "this action is not available here" in said[5]
    assert "dotnet is not installed on this machine" in said[6]
    assert await output(box, "python -c 'import sys; print(sys.prefix)'") != "/usr"


def test_the_agent_hears_of_the_newest_setup_only() -> None:
    def event(seq: int, **data: str) -> Event:
        told = {"infoType": setup.KIND, **data}
        return Event("s", 1, seq, EventType.SESSION_INFO, datetime.now(UTC), told, None)

    log = [
        event(1, message="Setup of x: 1 step"),
        event(2, message="old: done", outcome="success"),
        event(3, message="Setup of x: 1 step"),
        event(4, message="new: failed with exit code 1", outcome="failure", output="no such file"),
    ]
    assert setup.summary(log) == "- new: failed with exit code 1\n```\nno such file\n```"
    assert setup.summary([]) == ""


async def test_what_cannot_be_run_as_it_is_written_is_told(box: Sandbox) -> None:
    told = await run(
        box,
        {"run": "true", "env": {"A": "x\0y"}},
        {"run": "true", "shell": "bash 'x {0}", "if": "always()"},
        {"run": "true", "working-directory": "a\0", "if": "always()"},
        {"run": "true", "if": "always()"},
    )
    assert outcomes(told) == ["failure", "failure", "failure", "success"], told
    assert "No closing quotation" in told[2]["message"]
