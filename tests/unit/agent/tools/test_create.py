"""The tool create, in a real sandbox."""

from __future__ import annotations

import pytest

from tests.unit.agent.tools.bench import Bench

pytestmark = pytest.mark.sandbox


async def test_a_file_is_made_with_its_directories(bench: Bench) -> None:
    text = await bench.text("create", path="a/b/c.txt", content="one\ntwo\n")

    assert text == "Created a/b/c.txt: 2 lines, 8 bytes."
    assert await bench.get("a/b/c.txt") == b"one\ntwo\n"


async def test_a_file_that_is_there_is_not_lost(bench: Bench) -> None:
    await bench.put("a.txt", "precious")

    assert "exists" in await bench.error("create", path="a.txt", content="new")
    assert await bench.get("a.txt") == b"precious"


async def test_a_file_can_be_replaced_on_purpose_and_keeps_its_mode(bench: Bench) -> None:
    await bench.put("run.sh", "#!/bin/sh\n", mode=0o755)

    text = await bench.text("create", path="run.sh", content="#!/bin/sh\necho é\n", overwrite=True)

    assert text == "Replaced run.sh: 2 lines, 18 bytes."
    assert (await bench.text("bash", command="./run.sh")).startswith("é\n")


async def test_a_directory_is_not_replaced(bench: Bench) -> None:
    await bench.box.exec("mkdir -p src/keep")

    error = await bench.error("create", path="src", content="x", overwrite=True)

    assert "not a regular file" in error


async def test_a_place_that_cannot_be_written_is_explained(bench: Bench) -> None:
    error = await bench.error("create", path="/usr/share/x", content="x")

    assert "/usr/share/x could not be written" in error
