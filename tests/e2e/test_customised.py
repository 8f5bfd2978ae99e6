"""A repository that is set up for GitHub's agent: its files mean here what they mean there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import git
from tests.e2e.conftest import REPOSITORY, clone
from tests.e2e.server import Client, Server
from tests.e2e.test_with_a_model import MODEL, with_server
from tests.peers import mcp_server
from tests.peers.model_server import ModelServer, Say

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

SECRETS = Path(__file__).parents[2] / "docs/customisation/secrets-and-variables.md"
FILES = {
    "AGENTS.md": "Everywhere: be kind.",
    "src/AGENTS.md": "Below src: be careful.",
    ".github/instructions/broken.instructions.md": "---\napplyTo: **/*.py\n---\nNever seen.",
    ".github/agents/reader.agent.md": (
        f"---\ndescription: Reads.\ntools: [read, edit, plain/echo]\nmodel: {MODEL}\n"
        "mcp-servers:\n  plain: {type: stdio, command: python3, args: [tools/server.py]}\n"
        "---\nYou only read.\n"
    ),
    "tools/server.py": Path(mcp_server.__file__).read_text(),
    ".github/hooks/rules.json": (
        '{"version": 1, "hooks": {"postToolUse": [{"matcher": "plain-.*", '
        '"bash": "echo \'{\\"additionalContext\\": \\"So be it.\\"}\'"}]}}'
    ),
    "src/a.py": "x = 1\n",
    ".github/skills/release/SKILL.md": (
        "---\nname: release\ndescription: How we release.\n---\nTag it.\n"
    ),
    ".github/workflows/copilot-setup-steps.yml": (
        "jobs:\n  copilot-setup-steps:\n    steps:\n      - uses: actions/checkout@v5\n"
        "      - name: Prepare\n        run: echo ready > ready.txt\n"
    ),
}


def customise(server: Server, token: str, place: Path) -> None:
    tree = clone(server, token, place)
    for path, text in FILES.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    git("add", "-A", cwd=tree)
    git("commit", "-qm", "Tell agents", cwd=tree)
    git("push", "-q", "origin", "HEAD:main", cwd=tree)


def infos(client: Client, task_id: str) -> str:
    events = client.events(task_id)
    return "\n".join(e["data"]["message"] for e in events if e["type"] == "session.info")


async def test_a_custom_agent_has_its_prompt_its_tools_and_the_repositorys_rules(
    tmp_path: Path,
) -> None:
    turns = [
        Say(calls=[("view", {"path": "src/a.py"}), ("view", {"path": "ready.txt"})]),
        Say(
            calls=[
                ("bash", {"command": "ls"}),
                ("skill", {"name": "release"}),
                ("plain-echo", {"text": "over stdio"}),
            ]
        ),
    ]

    def story(server: Server, client: Client, token: str) -> None:
        customise(server, token, tmp_path / "clone")
        made = client.create(REPOSITORY, "Look at it", custom_agent="reader")
        task = client.wait(made["id"])
        assert task["state"] == "completed", task["sessions"]
        said = infos(client, made["id"])
        assert "Instructions in use: the operator's instructions, AGENTS.md, src/AGENTS.md" in said
        assert "Custom agent in use: reader" in said
        assert "Skills at hand: release" in said
        assert "Prepare: done" in said
        assert ".github/instructions/broken.instructions.md:2: not valid YAML" in said

    (tmp_path / "ours.md").write_text("In this house: be brief.")
    told = {
        "JOURNEYMAN_AGENT_INSTRUCTIONS": str(tmp_path / "ours.md"),
        "OPENAI_MODEL": f"usual,{MODEL}",
    }
    async with ModelServer([*turns, Say("Done.")]) as model:
        await with_server(tmp_path, model, story, told)
        assert {request["model"] for request in model.requests} == {MODEL}, "its own"
        system = str(model.requests[0]["messages"][0])
        assert system.index("In this house: be brief.") < system.index("Everywhere: be kind.")
        assert "You only read." in system
        assert "Below src" not in system
        offered = {tool["function"]["name"] for tool in model.requests[0]["tools"]}
        assert {"view", "edit", "report_progress"} <= offered
        assert "bash" not in offered
        assert "- Prepare: done" in system
        viewed = str(model.requests[1]["messages"][-2:])
        assert "Below src: be careful." in viewed
        assert "ready" in viewed
        assert "plain-echo" in offered
        answered = str(model.requests[2]["messages"][-3:])
        assert "There is no tool" in answered
        assert "Tag it." in answered
        assert "over stdio" in answered
        assert "So be it." in answered


async def test_an_unknown_custom_agent_ends_the_task_with_those_there_are(tmp_path: Path) -> None:
    def story(server: Server, client: Client, token: str) -> None:
        customise(server, token, tmp_path / "clone")
        task = client.wait(client.create(REPOSITORY, "Go", custom_agent="writer")["id"])
        assert (task["state"], task["state_reason"]) == ("failed", "custom_agent_not_found")
        message = task["sessions"][0]["error"]["message"]
        assert "has no custom agent 'writer'; there is: reader." in message

    async with ModelServer() as model:
        await with_server(tmp_path, model, story)
        assert not model.requests


async def test_a_secret_reaches_commands_but_neither_the_log_nor_the_model(tmp_path: Path) -> None:
    """They are set as docs/customisation/secrets-and-variables.md says."""
    command = "echo [$API_TOKEN] [$COPILOT_MCP_NOTES_KEY] ${#API_TOKEN} $LEVEL"
    turns = [Say(calls=[("bash", {"command": command})])]
    (example,) = re.findall(r"^```python\n(.*?)^```", SECRETS.read_text(), re.DOTALL | re.MULTILINE)

    def story(server: Server, client: Client, token: str) -> None:
        names = ("API_TOKEN", "COPILOT_MCP_NOTES_KEY")
        environ = {"JOURNEYMAN_URL": server.url, "JOURNEYMAN_TOKEN": token}
        environ |= dict.fromkeys(names, "tell-nobody-42")
        subprocess.run([sys.executable, "-c", example], env=environ, check=True, timeout=60)
        made = client.create(REPOSITORY, "Use the key")
        task = client.wait(made["id"])
        assert task["state"] == "completed", task["sessions"]
        told = str(client.events(made["id"]))
        assert "[******] [] 14 debug" in told
        assert "tell-nobody-42" not in told

    async with ModelServer([*turns, Say("Done.")]) as model:
        await with_server(tmp_path, model, story)
        assert "[******] [] 14 debug" in str(model.requests[1])
        assert "tell-nobody-42" not in str(model.requests)
