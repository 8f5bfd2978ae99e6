"""The tool glob, in a real sandbox."""

from __future__ import annotations

import pytest

from tests.unit.agent.tools.bench import Bench

pytestmark = pytest.mark.sandbox


async def test_files_are_listed_newest_first(bench: Bench) -> None:
    for path in ("src/a.py", "src/deep/b.py", "c.txt", ".git/d.py", ".github/e.py"):
        await bench.put(path, "x")
    await bench.call(
        "bash", command="touch -d 2001-01-01 src/a.py; touch -d 2002-01-01 src/deep/b.py"
    )

    lines = (await bench.text("glob", pattern="**/*.py")).split("\n")

    assert lines == [".github/e.py", "src/deep/b.py", "src/a.py"]
    assert await bench.text("glob", pattern="*.py", path="src/deep") == "src/deep/b.py"


async def test_what_git_ignores_is_left_out(bench: Bench) -> None:
    await bench.put(".gitignore", "build/\n")
    await bench.put("build/a.py", "x")
    await bench.put("b.py", "x")
    await bench.call("bash", command="git init -q")

    assert await bench.text("glob", pattern="*.py") == "b.py"


async def test_many_files_are_cut_and_counted(bench: Bench) -> None:
    await bench.call("bash", command="for n in $(seq 250); do : > f$n.txt; done")

    lines = (await bench.text("glob", pattern="*.txt")).split("\n")

    assert len(lines) == 201
    assert lines[-1] == "[… 50 more: narrow the pattern or the path]"


async def test_nothing_found_and_bad_patterns_are_told(bench: Bench) -> None:
    assert await bench.text("glob", pattern="*.rs") == "No file matches '*.rs' in .."
    assert "is not a directory" in await bench.error("glob", pattern="*", path="none")
    assert "error parsing glob" in await bench.error("glob", pattern="[")
