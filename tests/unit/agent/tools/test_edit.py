"""The tool edit, in a real sandbox."""

from __future__ import annotations

import pytest

from tests.unit.agent.tools.bench import Bench

pytestmark = pytest.mark.sandbox

PROGRAM = "def add(a, b):\n    return a - b\n\n\ndef sub(a, b):\n    return a - b\n"


async def test_an_exact_piece_is_replaced_and_shown(bench: Bench) -> None:
    await bench.put("a.py", PROGRAM)

    text = await bench.text(
        "edit", path="a.py", old="b):\n    return a - b\n\n", new="b):\n    return a + b\n\n"
    )

    assert await bench.get("a.py") == PROGRAM.replace("a - b", "a + b", 1).encode()
    assert text.startswith("Replaced 1 match in a.py.\n")
    assert "     2\t    return a + b" in text


async def test_several_matches_are_listed_and_nothing_changes(bench: Bench) -> None:
    await bench.put("a.py", PROGRAM)

    error = await bench.error("edit", path="a.py", old="return a - b", new="x")

    assert "2 times" in error
    assert "lines 2, 6" in error
    assert await bench.get("a.py") == PROGRAM.encode()


async def test_all_can_be_replaced(bench: Bench) -> None:
    await bench.put("a.py", PROGRAM)

    text = await bench.text("edit", path="a.py", old="a - b", new="b", replace_all=True)

    assert "2 matches" in text
    assert await bench.get("a.py") == PROGRAM.replace("a - b", "b").encode()


async def test_without_a_match_the_nearest_lines_are_quoted(bench: Bench) -> None:
    await bench.put("a.py", PROGRAM)

    error = await bench.error("edit", path="a.py", old="def addd(a, b):", new="x")

    assert "does not occur in a.py" in error
    assert "     1\tdef add(a, b):" in error


async def test_wrong_whitespace_is_recognised(bench: Bench) -> None:
    await bench.put("a.py", PROGRAM)

    error = await bench.error("edit", path="a.py", old="  return a - b", new="x")
    assert "2 times" in error
    error = await bench.error("edit", path="a.py", old="      return a - b", new="x")
    assert "whitespace differs" in error
    assert "     2\t    return a - b" in error


async def test_with_nothing_near_it_says_to_look_first(bench: Bench) -> None:
    await bench.put("a.py", PROGRAM)

    assert "view the file first" in await bench.error("edit", path="a.py", old="zebra", new="x")


async def test_windows_line_ends_stay(bench: Bench) -> None:
    await bench.put("a.txt", "one\r\ntwo\r\nthree\r\n")

    await bench.call("edit", path="a.txt", old="one\ntwo", new="1\n2")

    assert await bench.get("a.txt") == b"1\r\n2\r\nthree\r\n"


async def test_bytes_that_are_not_utf8_stay(bench: Bench) -> None:
    await bench.put("a.txt", b"gr\xfc\xdfe old \xff\n")

    await bench.call("edit", path="a.txt", old="old", new="n\u00e9w")

    assert await bench.get("a.txt") == b"gr\xfc\xdfe n\xc3\xa9w \xff\n"


async def test_an_executable_stays_one(bench: Bench) -> None:
    await bench.put("run.sh", "#!/bin/sh\necho old\n", mode=0o755)

    await bench.call("edit", path="run.sh", old="old", new="new")

    assert (await bench.text("bash", command="./run.sh")).startswith("new\n")


async def test_what_makes_no_sense_is_refused(bench: Bench) -> None:
    await bench.put("a.txt", "same")

    assert "the same" in await bench.error("edit", path="a.txt", old="same", new="same")
    assert "old" in await bench.error("edit", path="a.txt", old="", new="x")
    assert await bench.error("edit", path="none", old="a", new="b") == "There is no none."
    assert "directory" in await bench.error("edit", path="/workspace", old="a", new="b")


async def test_a_large_file_is_edited_quickly_and_misses_too(bench: Bench) -> None:
    await bench.put("big.txt", "".join(f"line number {n}\n" for n in range(100_000)))

    await bench.call("edit", path="big.txt", old="number 99999\n", new="last\n")
    assert "does not occur" in await bench.error("edit", path="big.txt", old="numbr", new="x")
