"""The tool apply_patch, in a real sandbox."""

from __future__ import annotations

import pytest

from journeyman.agent.tools.files import FILE_BYTES
from tests.unit.agent.tools.bench import Bench

pytestmark = pytest.mark.sandbox

CALC = "import sys\n\n\ndef add(a, b):\n    return a - b\n\n\ndef sub(a, b):\n    return a + b\n"


def patch(*lines: str) -> str:
    return "\n".join(["*** Begin Patch", *lines, "*** End Patch"])


async def test_several_files_change_at_once(bench: Bench) -> None:
    await bench.put("calc.py", CALC, mode=0o755)
    await bench.put("old.txt", "x\n")
    await bench.put("name.txt", "a\nb\n")

    result = await bench.call(
        "apply_patch",
        patch=patch(
            "*** Update File: calc.py",
            "@@ def add(a, b):",
            "-    return a - b",
            "+    return a + b",
            "@@ def sub(a, b):",
            "-    return a + b",
            "+    return a - b",
            "*** Add File: docs/new.md",
            "+# New",
            "+",
            "*** Delete File: old.txt",
            "*** Update File: name.txt",
            "*** Move to: other/name.txt",
            "@@",
            " a",
            "-b",
            "+c",
            "*** End of File",
        ),
    )

    assert result.text == (
        "Success. Updated the following files:\nM calc.py\nA docs/new.md\nD old.txt\n"
        "M other/name.txt"
    )
    assert (
        await bench.get("calc.py")
        == CALC.replace(" - ", " ? ").replace(" + ", " - ").replace(" ? ", " + ").encode()
    )
    assert await bench.get("docs/new.md") == b"# New\n\n"
    assert await bench.get("other/name.txt") == b"a\nc\n"
    listed = await bench.text("bash", command="ls; stat -c %a calc.py")
    assert listed.startswith("calc.py\ndocs\nother\n755\n")


async def test_lines_match_in_spite_of_blanks_at_their_end_and_typographic_quotes(
    bench: Bench,
) -> None:
    await bench.put("a.py", 'print("it\u2019s")  \nx = 1\n')
    change = ("*** Update File: a.py", "@@", ' print("it\'s")', "-x = 1", "+x = 2")

    await bench.call("apply_patch", patch=patch(*change))

    assert (await bench.get("a.py")).decode().endswith("x = 2\n")


async def test_windows_line_ends_stay(bench: Bench) -> None:
    await bench.put("a.txt", b"one\r\ntwo\r\n")

    await bench.call("apply_patch", patch=patch("*** Update File: a.txt", "@@", "-two", "+2", "+3"))

    assert await bench.get("a.txt") == b"one\r\n2\r\n3\r\n"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["*** Update File: calc.py", "@@", "-    return a * b", "+    return 1"],
            "Failed to find expected lines in calc.py:\n    return a * b",
        ),
        (
            ["*** Update File: calc.py", "@@ class Calc:", "-x", "+y"],
            "Failed to find context 'class Calc:' in calc.py",
        ),
        (["*** Update File: none.py", "@@", "-x", "+y"], "There is no file none.py"),
        (["*** Update File: calc.py"], "Update file hunk for path 'calc.py' is empty"),
        (["*** Update File: calc.py", "@@", "return"], "Unexpected line found in update hunk"),
        (["*** Add File: calc.py", "+x"], "calc.py exists"),
        (["*** Add File: new.py", "x"], "begins with '+'"),
        (["*** Rename File: calc.py"], "is not a valid hunk header"),
        (["*** Delete File: none.py"], "There is no file none.py"),
        (["*** Add File: /etc/new", "+x"], "could not be written"),
        ([], "it changes no file"),
    ],
)
async def test_what_does_not_fit_is_told_and_changes_nothing(
    bench: Bench, lines: list[str], said: str
) -> None:
    await bench.put("calc.py", CALC)
    before = [*lines[:0], "*** Add File: first.txt", "+x"] if "etc" not in str(lines) else []

    text = await bench.error("apply_patch", patch=patch(*before, *lines) if lines else patch())

    assert said in text
    assert (await bench.text("bash", command="ls")).startswith("calc.py\n[exit 0")
    assert await bench.get("calc.py") == CALC.encode()


async def test_a_text_that_is_no_patch_is_told(bench: Bench) -> None:
    assert "The first line of the patch must be" in await bench.error("apply_patch", patch="hi")
    assert "The last line of the patch must be" in await bench.error(
        "apply_patch", patch="*** Begin Patch\n*** Add File: x\n+x"
    )


async def test_a_file_may_be_changed_several_times(bench: Bench) -> None:
    await bench.put("a.txt", "one\ntwo\nthree\n")
    await bench.put("b.txt", "old\n")

    result = await bench.call(
        "apply_patch",
        patch=patch(
            *("*** Update File: a.txt", "@@", "-one", "+1"),
            *("*** Update File: ./a.txt", "@@", "-three", "+3"),
            *("*** Delete File: b.txt", "*** Add File: b.txt", "+new"),
            *("*** Update File: a.txt", "*** Move to: c.txt", "@@", " 1", "-two", "+2"),
            *("*** Update File: c.txt", "@@", "-2", "+II"),
        ),
    )

    assert result.success
    assert await bench.get("c.txt") == b"1\nII\n3\n"
    assert await bench.get("b.txt") == b"new\n"
    assert (await bench.text("bash", command="ls")).startswith("b.txt\nc.txt\n[exit 0")
    gone = patch("*** Delete File: b.txt", "*** Update File: b.txt", "@@", "-new", "+x")
    assert "There is no file b.txt" in await bench.error("apply_patch", patch=gone)
    assert await bench.get("b.txt") == b"new\n"


async def test_a_file_too_large_to_read_may_be_deleted(bench: Bench) -> None:
    await bench.text("bash", command=f"truncate -s {FILE_BYTES + 1} big.bin")

    await bench.call("apply_patch", patch=patch("*** Delete File: big.bin"))

    assert (await bench.text("bash", command="ls")).startswith("[exit 0")


async def test_only_line_ends_divide_lines(bench: Bench) -> None:
    await bench.put("a.c", "one\n\x0c\nt\u2028wo\n")

    await bench.call(
        "apply_patch",
        patch=patch("*** Update File: a.c", "@@", " one", " \x0c", "-t\u2028wo", "+t\u2028o"),
    )

    assert (await bench.get("a.c")).decode() == "one\n\x0c\nt\u2028o\n"
