"""Clients that send a byte now and then, or nothing at all: others are served all the same."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from journeyman.forge.embedded.bodies import Speed
from journeyman.forge.embedded.git_http import GitHttp, Options
from tests.integration.forge.client import client
from tests.integration.forge.test_git_http import (
    ADVERTISEMENT,
    Served,
    becomes,
    children,
    listening,
    served,
)

__all__ = ["served"]
REQUEST = (
    "POST /alice/{name}/git-{verb} HTTP/1.1\r\nHost: x\r\nAuthorization: token {token}\r\n"
    "Content-Type: application/x-git-{verb}-request\r\nContent-Length: 100000\r\n\r\n"
)


@asynccontextmanager
async def trickling(port: int, head: str) -> AsyncIterator[asyncio.StreamReader]:
    """A request whose body comes at a byte every 20 ms."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode())

    async def trickle() -> None:
        while True:
            writer.write(b"0")
            await writer.drain()
            await asyncio.sleep(0.02)

    sending = asyncio.create_task(trickle())
    try:
        yield reader
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()


async def test_those_who_trickle_hold_up_nobody_else(served: Served) -> None:
    bobs, alices = served.token(served.bob), served.token(served.alice)
    head = REQUEST.format(name="open", verb="upload-pack", token=bobs)
    async with (
        listening(GitHttp(served.forge, Options(max_packs=1))) as port,
        trickling(port, head),
        trickling(port, head),
        trickling(port, head),
        trickling(port, head),
    ):
        await asyncio.sleep(0.1)
        assert not children(), "git is started for whole requests only"
        url = f"http://x:{alices}@127.0.0.1:{port}/alice/app.git"
        async with asyncio.timeout(20):
            ended = await client(served.where, "clone", "-q", url, "copy")
        assert ended.code == 0, ended.output


async def test_who_trickles_is_told_and_dropped_and_frees_its_own_place(served: Served) -> None:
    speed = Speed(stall_seconds=5, grace_seconds=0.5, bytes_per_second=1_000_000)
    alices = served.token(served.alice)
    for verb in ("upload-pack", "receive-pack"):
        head = REQUEST.format(name="app", verb=verb, token=alices)
        async with listening(GitHttp(served.forge, Options(max_packs=1, speed=speed))) as port:
            async with trickling(port, head) as reader, asyncio.timeout(5):
                answer = await reader.readuntil(b"\r\n")
                assert answer == b"HTTP/1.1 408 Request Timeout\r\n"
            url = f"http://x:{alices}@127.0.0.1:{port}/alice/app.git"
            async with asyncio.timeout(20):
                ended = await client(served.where, "clone", "-q", url, verb)
            assert ended.code == 0, ended.output
    assert not list(served.forge.path(served.app.id).glob("tmp*")), "nothing is left of it"


async def test_who_stalls_is_dropped(served: Served) -> None:
    speed = Speed(stall_seconds=0.3, grace_seconds=60, bytes_per_second=1)
    async with listening(GitHttp(served.forge, Options(max_packs=1, speed=speed))) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = REQUEST.format(name="open", verb="upload-pack", token=served.token(served.bob))
        writer.write(head.encode() + b"00")
        async with httpx.AsyncClient() as http:
            answer = await http.get(f"http://127.0.0.1:{port}/alice/open/{ADVERTISEMENT}")
        assert answer.status_code == 200
        async with asyncio.timeout(5):
            assert b" 408 " in await reader.readuntil(b"\r\n")
        writer.close()
    assert await becomes(lambda: not children())
