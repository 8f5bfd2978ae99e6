"""The tool view, in a real sandbox."""

from __future__ import annotations

import pytest

from journeyman.agent.tools.toolbox import Image
from tests.unit.agent.tools.bench import Bench

pytestmark = pytest.mark.sandbox


async def test_a_file_is_shown_with_line_numbers(bench: Bench) -> None:
    await bench.put("a.py", "one\ntwo\n")

    assert await bench.text("view", path="a.py") == "     1\tone\n     2\ttwo"
    assert await bench.text("view", path="/workspace/a.py") == "     1\tone\n     2\ttwo"


async def test_a_part_says_how_to_go_on(bench: Bench) -> None:
    await bench.put("a.txt", "".join(f"{n}\n" for n in range(1, 101)))

    assert await bench.text("view", path="a.txt", start=10, lines=2) == (
        "    10\t10\n    11\t11\n[lines 10-11 of 100; go on with start=12]"
    )
    assert (await bench.text("view", path="a.txt", start=100)).endswith("   100\t100")


async def test_a_start_past_the_end_says_where_the_end_is(bench: Bench) -> None:
    await bench.put("a.txt", "1\n2\n3")

    assert await bench.error("view", path="a.txt", start=9) == "a.txt has only 3 lines."


async def test_long_lines_do_not_flood(bench: Bench) -> None:
    await bench.put("a.min.js", ("x" * 10_000 + "\n") * 300)

    text = await bench.text("view", path="a.min.js")

    assert len(text) < 31_000
    assert "go on with start=" in text


async def test_a_directory_is_listed_two_levels_deep(bench: Bench) -> None:
    for path in ("src/a.py", "src/deep/er/b.py", ".git/config", ".github/x.yml", "with space/c"):
        await bench.put(path, "x")

    assert (await bench.text("view", path=".")).split("\n") == [
        ".github/",
        ".github/x.yml",
        "src/",
        "src/a.py",
        "src/deep/",
        "with space/",
        "with space/c",
    ]


async def test_a_huge_directory_is_cut(bench: Bench) -> None:
    await bench.box.exec("mkdir many; cd many; seq 1 2000 | xargs touch")

    text = await bench.text("view", path="many")

    assert text.endswith("[… 1500 more: view a directory further down]")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0", "PNG image"),
        (b"\x7fELF\0\0", "ELF executable"),
        (b"a\0b", "binary file"),
        (b"%PDF-1.7 no nul here", "PDF document"),
    ],
)
async def test_of_a_binary_file_type_and_size_are_told(
    bench: Bench, data: bytes, kind: str
) -> None:
    await bench.put("thing", data)

    assert await bench.text("view", path="thing") == f"thing: {kind}, {len(data)} bytes"


async def test_invalid_utf8_is_shown_as_well_as_it_can_be(bench: Bench) -> None:
    await bench.put("latin.txt", "grüße".encode("latin-1"))

    assert await bench.text("view", path="latin.txt") == "     1\tgr\ufffd\ufffde"


async def test_empty_things_are_said_to_be_empty(bench: Bench) -> None:
    await bench.put("empty", "")
    await bench.box.exec("mkdir bare")

    assert await bench.text("view", path="empty") == "empty is empty."
    assert await bench.text("view", path="bare") == "bare is empty."


async def test_what_cannot_be_shown_is_explained(bench: Bench) -> None:
    await bench.box.exec("mkfifo pipe; truncate -s 1T sparse; ln -s nowhere dangling")

    assert await bench.error("view", path="missing.py") == "There is no missing.py."
    assert "not a regular file" in await bench.error("view", path="pipe")
    assert "1099511627776 bytes" in await bench.error("view", path="sparse")
    assert "dangling" in await bench.error("view", path="dangling")


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0"


@pytest.mark.parametrize(
    ("name", "content", "media_type"),
    [
        ("a.png", PNG, "image/png"),
        ("a.jpg", b"\xff\xd8\xff\xe0\0", "image/jpeg"),
        ("a.webp", b"RIFF\x10\0\0\0WEBPVP8 ", "image/webp"),
    ],
)
async def test_an_image_is_shown(bench: Bench, name: str, content: bytes, media_type: str) -> None:
    await bench.put(name, content)

    result = await bench.call("view", path=name)

    assert result.images == (Image(media_type, content),)
    assert result.text.endswith(f" image, {len(content)} bytes")


async def test_an_image_that_is_too_large_is_only_told(bench: Bench) -> None:
    await bench.put("a.png", PNG + b"\0" * (3 << 20))

    result = await bench.call("view", path="a.png")

    assert result.images == ()
    assert result.text.endswith("bytes: too large to be shown")
