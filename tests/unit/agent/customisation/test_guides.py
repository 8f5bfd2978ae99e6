"""Which instructions a repository has, and for which paths."""

from __future__ import annotations

from journeyman.agent.customisation import guides, repository
from journeyman.agent.customisation.guides import GUIDE_CHARS, Guide

RULES = ".github/instructions/"


def found(**files: str) -> list[Guide]:
    return guides.read(files)[0]


def said(files: dict[str, str]) -> list[str]:
    return [str(problem) for problem in guides.read(files)[1]]


def scoped(front: str, body: str = "Be careful.") -> dict[str, str]:
    return {f"{RULES}a.instructions.md": f"---\n{front}\n---\n{body}\n"}


def test_the_general_comes_before_the_particular_and_agents_md_last() -> None:
    files = {
        "AGENTS.md": "1",
        "CLAUDE.md": "2",
        "GEMINI.md": "3",
        ".github/copilot-instructions.md": "4",
        f"{RULES}all.instructions.md": '---\napplyTo: "**"\n---\n5',
        f"{RULES}deep/py.instructions.md": '---\napplyTo: "**/*.py"\n---\n6',
        "src/deep/AGENTS.md": "8",
        "src/AGENTS.md": "7",
        "README.md": "9",
    }

    read = repository.read(files)

    assert [guide.text for guide in read.general] == ["4", "5", "3", "2", "1"]
    assert [guide.text for guide in read.scoped] == ["6", "7", "8"]


def test_a_scoped_file_is_for_its_paths() -> None:
    (guide,) = found(**scoped('applyTo: "src/*.py, **/*.{ts,tsx}"'))

    assert guide.applies("src/a.py")
    assert guide.applies("web/b.tsx")
    assert not guide.applies("a.py")


def test_apply_to_may_be_a_list() -> None:
    (guide,) = found(**scoped('applyTo: ["*.py", "*.md"]'))

    assert guide.globs == ("*.py", "*.md")


def test_a_nested_agents_md_is_for_what_is_below_it() -> None:
    (guide,) = found(**{"src/[x]/AGENTS.md": "Mind the gap."})

    assert guide.applies("src/[x]/deep/a.py")
    assert not guide.applies("src/x/a.py")
    assert not guide.applies("AGENTS.md")


def test_what_excludes_this_agent_is_left_out() -> None:
    for name in ("coding-agent", "cloud-agent"):
        assert not found(**scoped(f'applyTo: "**"\nexcludeAgent: {name}'))
    assert found(**scoped('applyTo: "**"\nexcludeAgent: code-review'))


def test_what_is_wrong_names_file_and_line() -> None:
    name = f"{RULES}a.instructions.md"

    assert said(scoped("description: x")) == [
        f'{name}:1: no applyTo says for which paths, such as applyTo: "**/*.py"; '
        "the file is not used"
    ]
    assert said(scoped('applyTo: "**"\ncolour: red')) == [
        f"{name}:3: unknown key 'colour' is ignored"
    ]
    assert "a text or a list of texts" in said(scoped("applyTo: 7"))[0]
    assert f"{name}:3" in said(scoped('applyTo: "**"\nexcludeAgent: [nobody]'))[0]
    assert f"{name}:2" in said(scoped("applyTo: **/*.py"))[0]


def test_a_broken_file_does_not_spoil_the_others() -> None:
    files = {**scoped("applyTo: ["), "AGENTS.md": "Use tabs."}

    assert [guide.path for guide in found(**files)] == ["AGENTS.md"]


def test_a_link_to_the_same_text_is_told_once() -> None:
    assert [g.path for g in found(**{"CLAUDE.md": "Same.", "AGENTS.md": "Same."})] == ["AGENTS.md"]


def test_an_empty_file_says_nothing() -> None:
    assert not found(**{"AGENTS.md": " \n"})


def test_a_long_file_is_cut_and_that_is_told() -> None:
    (guide,) = found(**{"AGENTS.md": "x" * (GUIDE_CHARS + 5)})

    assert guide.text.endswith("[… 5 more characters left out]")
    assert said({"AGENTS.md": "x" * (GUIDE_CHARS + 5)}) == [
        f"AGENTS.md: only the first {GUIDE_CHARS} characters are used"
    ]


def test_all_together_stay_within_their_room() -> None:
    files = {
        f"{RULES}{n}.instructions.md": f'---\napplyTo: "**"\n---\n{n}{"x" * (GUIDE_CHARS - 1)}'
        for n in range(6)
    }

    read = repository.read(files)

    assert sum(len(guide.text) for guide in read.general) <= repository.GENERAL_CHARS
    assert read.general[-1].path == f"{RULES}5.instructions.md"
    assert len(read.problems) == 3
