"""The tool search, in a real sandbox."""

from __future__ import annotations

import shutil

import pytest

from tests.integration.sandbox.requirement import lacking
from tests.unit.agent.tools.bench import Bench

pytestmark = pytest.mark.sandbox


@pytest.fixture(autouse=True)
async def tree(bench: Bench) -> None:
    if shutil.which("rg") is None:
        lacking("ripgrep is not installed: apt-get install ripgrep")
    await bench.put("src/a.py", "import os\n\n\ndef find_me():\n    pass\n")
    await bench.put("src/b.txt", "find_me here\nand FIND_ME there\n")
    await bench.put(".github/w.yml", "run: find_me\n")
    await bench.put(".git/x", "find_me\n")


async def test_matching_lines_come_with_file_and_number(bench: Bench) -> None:
    assert (await bench.text("search", pattern="find_me")).split("\n") == [
        ".github/w.yml:1:run: find_me",
        "src/a.py:4:def find_me():",
        "src/b.txt:1:find_me here",
    ]


async def test_only_the_files_or_the_counts(bench: Bench) -> None:
    assert await bench.text("search", pattern="find_me", path="src", mode="files") == (
        "src/a.py\nsrc/b.txt"
    )
    assert await bench.text("search", pattern="e", path="src/a.py", mode="count") == "src/a.py:2"


async def test_case_glob_and_context(bench: Bench) -> None:
    text = await bench.text("search", pattern="FIND_ME", ignore_case=True, glob="*.txt")
    assert text == "src/b.txt:1:find_me here\nsrc/b.txt:2:and FIND_ME there"
    text = await bench.text("search", pattern="def", context=1, path="/workspace/src/a.py")
    assert text.count("\n") == 2


async def test_nothing_found_is_said(bench: Bench) -> None:
    assert await bench.text("search", pattern="zebra") == "Nothing matches 'zebra'."


@pytest.mark.parametrize("pattern", ["--files", "-e"])
async def test_a_pattern_that_looks_like_an_option_is_a_pattern(bench: Bench, pattern: str) -> None:
    assert "Nothing matches" in await bench.text("search", pattern=pattern)


async def test_what_is_wrong_is_explained(bench: Bench) -> None:
    assert "regex" in await bench.error("search", pattern="(")
    assert "nowhere" in await bench.error("search", pattern="x", path="nowhere")


async def test_too_many_hits_are_cut(bench: Bench) -> None:
    await bench.put("many.txt", "hit\n" * 5000)

    text = await bench.text("search", pattern="hit", path="many.txt")

    assert text.endswith("[… 4800 more lines: narrow the pattern, the path or the glob]")
    assert text.count("\n") == 200


async def test_a_long_line_is_previewed(bench: Bench) -> None:
    await bench.put("a.min.js", "x" * 100_000 + "needle" + "y" * 100_000)

    assert len(await bench.text("search", pattern="needle", path="a.min.js")) < 1000
