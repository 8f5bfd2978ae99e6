"""Files go in and out of every sandbox alike."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from journeyman.sandbox import (
    FileRefused,
    Sandbox,
)
from tests.contract.sandbox.processes import left

pytestmark = [pytest.mark.sandbox, pytest.mark.asyncio(loop_scope="module")]


class TestFiles:
    async def test_what_is_written_is_read_and_seen(self, box: Sandbox) -> None:
        data = bytes(range(256)) * 8000
        await box.write("new/deep/file", data)
        assert await box.read("new/deep/file", limit_bytes=1 << 22) == data
        assert (await box.exec(["stat", "-c", "%a %U", "new/deep/file"])).output == b"644 agent\n"

    async def test_a_new_file_gets_the_mode(self, box: Sandbox) -> None:
        await box.write("script", b"#!/bin/sh\necho ran\n", mode=0o755)
        assert (await box.exec("./script")).output == b"ran\n"
        await box.write("script", b"#!/bin/sh\necho again\n")
        assert (await box.exec("./script")).output == b"again\n"

    async def test_writing_replaces_longer_content(self, box: Sandbox) -> None:
        await box.write("file", b"long content")
        await box.write("file", b"short")
        assert await box.read("file") == b"short"

    @pytest.mark.parametrize("name", ["a\nb", "café", "with space", "-rf", "b\udcff"])
    async def test_odd_names(self, box: Sandbox, name: str) -> None:
        await box.write(name, b"x")
        assert await box.read(name) == b"x"

    @pytest.mark.parametrize(
        "make",
        [
            "true",
            "mkdir it",
            "mkfifo it",
            "ln -s it it",
            "ln -s /dev/zero it",
            "touch it; chmod 0 it",
        ],
    )
    async def test_what_is_no_readable_file_is_refused(self, box: Sandbox, make: str) -> None:
        await box.exec(make.replace("it", "thing"))
        with pytest.raises(FileRefused, match="thing"):
            async with asyncio.timeout(2):
                await box.read("thing")

    @pytest.mark.parametrize("make", ["mkdir it", "mkfifo it", "ln -s /etc/passwd it"])
    async def test_what_cannot_be_written_is_refused(self, box: Sandbox, make: str) -> None:
        await box.exec(make.replace("it", "thing"))
        with pytest.raises(FileRefused, match="thing"):
            async with asyncio.timeout(2):
                await box.write("thing", b"data")

    async def test_a_file_over_the_limit_is_refused_unread(self, box: Sandbox) -> None:
        await box.exec("truncate -s 1T sparse; printf 12345 > five; printf 123456 > six")
        with pytest.raises(FileRefused, match="sparse"):
            await box.read("sparse")
        with pytest.raises(FileRefused, match="six"):
            await box.read("six", limit_bytes=5)
        assert await box.read("five", limit_bytes=5) == b"12345"

    async def test_links_are_followed_inside_only(self, box: Sandbox, tmp_path: Path) -> None:
        secret = tmp_path / "secret"
        secret.write_text("host")
        await box.exec(["ln", "-s", str(secret), "absolute"])
        await box.exec(["ln", "-s", "../" * 20 + str(secret), "climbing"])
        await box.exec(["ln", "-s", "/etc/passwd", "inside"])
        for name in ("absolute", "climbing"):
            with pytest.raises(FileRefused):
                await box.read(name)
        assert b"agent" in await box.read("inside")

    async def test_a_path_that_changes_meanwhile_leads_nowhere_else(
        self, box: Sandbox, tmp_path: Path
    ) -> None:
        secret = tmp_path / "secret"
        secret.write_text("host")
        links = f"for to in {secret} /proc/1/environ /dev/zero; do ln -sfn $to it; done"
        files = "mkfifo p; mv -f p it; printf x > f; mv -f f it"
        swapping = asyncio.create_task(box.exec(f"while :; do {links}; {files}; done"))
        seen = set()
        async with asyncio.timeout(30):
            for _ in range(150):
                with contextlib.suppress(FileRefused):
                    seen.add(await box.read("it"))
                with contextlib.suppress(FileRefused):
                    await box.write("it", b"y")
        await box.kill_all()
        await swapping
        assert seen <= {b"", b"x", b"y"}
        assert secret.read_text() == "host"

    @pytest.mark.parametrize("path", ["/proc/self/environ", "/proc/1/mem", "/proc/self/status"])
    async def test_process_1_tells_nothing_of_itself(self, box: Sandbox, path: str) -> None:
        with pytest.raises(FileRefused):
            await box.read(path)
        with pytest.raises(FileRefused):
            await box.write(path, b"x")


class TestExport:
    async def test_standard_output_comes_whole_and_alone(self, box: Sandbox) -> None:
        data = await box.export("seq 100000; echo noise >&2", limit_bytes=1 << 20)
        assert data == b"".join(b"%d\n" % n for n in range(1, 100_001))

    async def test_exactly_the_limit_is_allowed(self, box: Sandbox) -> None:
        assert await box.export("printf 12345", limit_bytes=5) == b"12345"

    async def test_more_than_the_limit_is_refused_and_ended(self, box: Sandbox) -> None:
        with pytest.raises(FileRefused, match="more than 1000 bytes"):
            await box.export("seq 1000; sleep 100", limit_bytes=1000)
        assert await left(box) == b""

    async def test_an_endless_flood_is_refused(self, box: Sandbox) -> None:
        with pytest.raises(FileRefused):
            await box.export("cat /dev/zero", limit_bytes=1 << 20)
        assert await left(box) == b""

    async def test_failure_says_why(self, box: Sandbox) -> None:
        with pytest.raises(FileRefused, match="no way"):
            await box.export("echo half; echo no way >&2; exit 1", limit_bytes=1000)
