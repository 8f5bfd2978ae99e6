"""Skills: which there are, what is wrong with the others, and what the agent hears of them."""

from __future__ import annotations

import re

import pytest

from journeyman.agent.customisation import skills
from journeyman.agent.customisation.repository import PATHS, read
from journeyman.agent.customisation.skills import SKILL_CHARS
from journeyman.agent.instructions import Briefing, system_prompt
from journeyman.agent.tools import skill as skill_tool
from journeyman.agent.tools.toolbox import ToolError

BRIEFING = Briefing("alice/hello", "journeyman/x", "main", "0" * 40)


def skill(name: str, description: str = "How to do it.", body: str = "Do it.") -> str:
    return f"---\nname: {name}\ndescription: {description}\n---\n{body}\n"


def test_skills_of_every_place_are_found_by_name() -> None:
    files = {
        ".github/skills/release/SKILL.md": skill("release", "How we release."),
        ".claude/skills/migrate/SKILL.md": skill("migrate"),
        ".agents/skills/release/SKILL.md": skill("release", "Another way."),
        ".github/skills/SKILL.md": skill("astray"),
        ".github/skills/release/deep/SKILL.md": skill("deep"),
    }
    found, problems = skills.read(files)
    assert [(one.name, one.path) for one in found] == [
        ("migrate", ".claude/skills/migrate/SKILL.md"),
        ("release", ".github/skills/release/SKILL.md"),
    ]
    assert [str(problem) for problem in problems] == [
        ".agents/skills/release/SKILL.md: .github/skills/release/SKILL.md has the same name; "
        "this one is not used"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no front matter", ":1: name is missing"),
        ("---\nname: build\n---\nx", ":1: description is missing"),
        (skill("Two Words"), "is not a name of small letters"),
        (skill("x" * 65), "is not a name of small letters"),
        ("---\nname: [\n---\nx", "not valid YAML"),
        ("---\nname: build\ndescription: x\n", "no closing ---"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(text: str, message: str) -> None:
    found, problems = skills.read({".github/skills/build/SKILL.md": text})
    assert found == []
    assert any(message in str(problem) for problem in problems), problems


def test_what_is_odd_is_told_and_used() -> None:
    text = skill("build", body="x" * (SKILL_CHARS + 5)).replace(
        "---\nname", "---\ncolour: red\nname", 1
    )
    (found,), problems = skills.read({".github/skills/make/SKILL.md": text})
    assert found.text.endswith("[… 5 more characters left out]")
    assert sorted(map(str, problems)) == [
        ".github/skills/make/SKILL.md: only the first 30000 characters are used",
        ".github/skills/make/SKILL.md:2: unknown key 'colour' is ignored",
        ".github/skills/make/SKILL.md:3: the folder is named 'make', not 'build'",
    ]


def test_the_agent_is_told_of_them_and_reads_one_when_it_wants() -> None:
    files = {
        ".github/skills/release/SKILL.md": skill("release", "How we release.", "Tag {{ it }}.")
    }
    found = read(files)
    prompt = system_prompt(BRIEFING, found)
    assert "- release: How we release." in prompt
    assert "Tag" not in prompt
    assert "# Skills" not in system_prompt(BRIEFING)


async def test_the_tool_gives_one_whole_with_its_place() -> None:
    (found,), _ = skills.read({".github/skills/release/SKILL.md": skill("release", body="Tag it.")})
    tool = skill_tool.tool([found])
    result = await tool.run(skill_tool.Wanted(name=" Release "), lambda chunk: None)
    assert result.text.startswith("Tag it.")
    assert ".github/skills/release/ of the repository" in result.text
    with pytest.raises(ToolError, match=r"no skill 'deploy'; there are: release"):
        await tool.run(skill_tool.Wanted(name="deploy"), lambda chunk: None)


def test_the_files_are_asked_for() -> None:
    assert any(re.search(pattern, ".claude/skills/a/SKILL.md") for pattern in PATHS)
