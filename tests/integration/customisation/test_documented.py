"""Every example in docs/customisation is carried out, and means what its page says."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from journeyman.agent.customisation import repository, servers, setup
from journeyman.domain.events import NewEvent
from journeyman.runner import setup as setup_runner
from journeyman.runner.equipment import Exposed
from journeyman.sandbox import SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from tests.integration.engine.customised import MODEL, customised
from tests.integration.sandbox.requirement import require
from tests.peers import mcp_server
from tests.peers.model_server import Say

PAGES = Path(__file__).parents[3] / "docs" / "customisation"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def examples(page: str) -> list[str]:
    return [text for _, text in BLOCK.findall((PAGES / f"{page}.md").read_text())]


def test_no_example_is_left_out() -> None:
    """Who adds one adds it to a test below."""
    found = {page.stem: len(examples(page.stem)) for page in PAGES.glob("*.md")}
    assert found == {
        "instructions": 1,
        "custom-agents": 1,
        "skills": 1,
        "setup-steps": 1,
        "hooks": 3,
        "mcp-servers": 2,
        "secrets-and-variables": 1,  # run by tests/e2e/test_customised.py
    }


def test_instructions_agents_and_skills_are_read_without_a_problem() -> None:
    found = repository.read(
        {
            ".github/instructions/a.instructions.md": examples("instructions")[0],
            ".github/agents/tests.agent.md": examples("custom-agents")[0],
            ".github/skills/release/SKILL.md": examples("skills")[0],
        }
    )
    assert [guide.globs for guide in found.scoped] == [("src/**/*.py", "*.md")]
    assert [(one.name, one.models) for one in found.profiles] == [
        ("Test writer", ("claude-sonnet-4.6",))
    ]
    assert [(one.name, one.directory) for one in found.skills] == [
        ("release", ".github/skills/release")
    ]
    assert not [*found.problems, *found.profiles[0].problems]


@pytest.mark.sandbox
async def test_the_setup_steps_are_run(tmp_path: Path) -> None:
    found, problems = setup.read({setup.PATHS[0]: examples("setup-steps")[0]})
    assert found is not None
    assert not problems
    told: list[NewEvent] = []

    async def emit(new: Sequence[NewEvent]) -> None:
        told.extend(new)

    backend = await require(Bubblewrap())
    spec = SandboxSpec("setup", tmp_path / "session")
    box = await backend.start(spec)
    try:
        await box.write("requirements.txt", b"")
        await setup_runner.run(found, box, github={}, secrets={}, emit=emit)
    finally:
        await box.close()
        await backend.remove(spec.directory)
    outcomes = [event.data["outcome"] for event in told if "outcome" in event.data]
    assert outcomes == ["success"] * 3, told


@pytest.mark.sandbox
@pytest.mark.engine
async def test_hooks_and_mcp_servers_are_used(data: Path, source: Path) -> None:
    hooks, no_force, changelog = examples("hooks")
    settings, front_matter = examples("mcp-servers")
    assert yaml.safe_load(front_matter)["tools"] == ["read", "notes/*", "library/find_book"]
    files = {
        ".github/hooks/rules.json": hooks,
        ".github/hooks/no_force.py": no_force,
        ".github/hooks/changelog.py": changelog,
        ".github/agents/notes.agent.md": f"---\nmodel: {MODEL}\n{front_matter}---\nYou answer.\n",
        "tools/notes_server.py": Path(mcp_server.__file__).read_text(),
        "tools/format.sh": "#!/bin/sh\necho formatted >> new.txt\n",
    }
    turns = [
        Say(calls=[("notes-environment", {}), ("bash", {"command": "git push --force"})]),
        Say(calls=[("create", {"path": "new.txt", "content": "new\n"})]),
        Say("Done."),
    ]
    exposed = Exposed(mcp={"COPILOT_MCP_NOTES_KEY": "n0tes"})
    configured = json.loads(settings)["mcpServers"]
    read = servers.of_settings({"mcpServers": configured})
    assert not read.faults
    assert not read.warnings
    (away,) = [spec for spec in read.servers if spec.name == "library"]
    filled, _ = servers.filled(away, {"COPILOT_MCP_LIBRARY_TOKEN": "t"})
    assert filled.headers == {"Authorization": "Bearer t"}
    async with customised(data, source, files, turns, exposed=exposed) as session:
        await session.set_servers({"notes": configured["notes"]})
        events = await session.run()
        told = session.told(1)
        assert "Releases are frozen this week." in told
        assert '\\"NOTES_KEY\\": \\"n0tes\\"' in told.replace("\\\\", "\\")
        assert '\\"FOLDER\\": \\"notes\\"' in told.replace("\\\\", "\\")
        assert "Denied by preToolUse hook: Nothing is forced here." in told
        assert "Add a line to CHANGELOG.md." in session.told(3)
        await session.set_servers({})
        await session.run(agent="notes")
        assert {"notes-echo", "view"} <= session.offered(-1)
        assert "bash" not in session.offered(-1)
    failed = [event.data for event in events if event.data.get("error")]
    assert [one.get("toolName") for one in failed] == ["bash"]
