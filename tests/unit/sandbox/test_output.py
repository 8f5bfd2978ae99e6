"""The head and the tail of what a command says."""

from __future__ import annotations

import os

import pytest

from journeyman.domain.bounded import Bounded
from journeyman.sandbox.output import Pipe


@pytest.mark.parametrize("limit", [0, 1, 2, 5, 10, 99, 100, 101, 1000])
@pytest.mark.parametrize("piece", [1, 7, 100])
def test_head_and_tail_are_kept(limit: int, piece: int) -> None:
    data = bytes(range(100))
    kept = Bounded(limit)
    for start in range(0, len(data), piece):
        kept.add(data[start : start + piece])
    if limit >= 100:
        assert (kept.content(), kept.truncated) == (data, False)
    else:
        tail = limit // 2
        assert kept.content() == data[: limit - tail] + (data[-tail:] if tail else b"")
        assert kept.truncated
    assert kept.total_bytes == 100


def test_a_long_stream_holds_little_memory() -> None:
    kept = Bounded(1000)
    for _ in range(100):
        kept.add(b"x" * (1 << 18))
    assert len(kept._tail) < 1 << 20
    assert len(kept.content()) == 1000


async def test_a_pipe_ends_when_its_writers_are_gone() -> None:
    seen: list[bytes] = []
    pipe = Pipe(100, seen.append)
    writer = pipe.give_writer()
    os.write(writer, b"hello")
    os.close(writer)
    await pipe.settle(1)
    assert pipe.release() is None
    assert (pipe.kept.content(), seen) == (b"hello", [b"hello"])


async def test_a_pipe_that_somebody_keeps_open_is_handed_on() -> None:
    pipe = Pipe(100)
    writer = pipe.give_writer()
    os.write(writer, b"early")
    await pipe.settle(0.05)
    left = pipe.release()
    assert left is not None
    assert pipe.kept.content() == b"early"
    os.write(writer, b"late")
    assert os.read(left, 100) == b"late"
    os.close(writer)
    os.close(left)


async def test_a_flood_is_paused_and_goes_on() -> None:
    pipe = Pipe(100)
    writer = pipe.give_writer()
    os.set_blocking(writer, False)
    sent = 0
    while sent < 12 << 20:
        try:
            sent += os.write(writer, b"x" * 65536)
        except BlockingIOError:
            await pipe.settle(0.001)
    os.close(writer)
    await pipe.settle(5)
    assert pipe.release() is None
    assert pipe.kept.total_bytes == sent


async def test_a_pipe_that_was_never_used_is_closed_whole() -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert Pipe(100).release() is None
    assert len(os.listdir("/proc/self/fd")) == before
