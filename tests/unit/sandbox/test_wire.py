"""The service's end of the socket, against a process 1 that misbehaves."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import AsyncIterator

import pytest

from journeyman.sandbox import SandboxLost
from journeyman.sandbox.wire import MAX_REPLY_BYTES, Channel


def opened() -> set[str]:
    """The descriptors of this process that are open."""
    names = os.listdir("/proc/self/fd")
    return {name for name in names if os.path.exists(f"/proc/self/fd/{name}")}


def framed(text: bytes) -> bytes:
    return struct.pack(">I", len(text)) + text


@pytest.fixture
async def ends() -> AsyncIterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    theirs.setblocking(False)
    yield channel, theirs
    channel.close()
    theirs.close()


Ends = tuple[Channel, socket.socket]


async def test_a_request_is_fields_and_its_reply_finds_it(ends: Ends) -> None:
    channel, theirs = ends
    number, reply = channel.submit("exec", arg=["a", "b=c"], env={"K": "v\udcff"}, n=3)
    expected = b"op=exec\0id=1\0arg=a\0arg=b=c\0env=K=v\xff\0n=3\0descriptors=0"
    assert theirs.recv(1000) == framed(expected)
    theirs.send(framed(b"id=%d\0descriptors=0\0exit=7" % number))
    assert (await reply).fields == {"exit": "7"}


async def test_a_reply_in_pieces_is_put_together(ends: Ends) -> None:
    channel, theirs = ends
    number, reply = channel.submit("exec")
    for byte in framed(b"id=%d\0descriptors=0" % number):
        theirs.send(bytes([byte]))
        await asyncio.sleep(0)
    assert (await reply).fields == {}


async def test_descriptors_travel_both_ways_and_are_closed_here(ends: Ends) -> None:
    channel, theirs = ends
    reading, writing = os.pipe()
    before = opened()
    number, reply = channel.submit("open", [writing])
    data, received, _, _ = socket.recv_fds(theirs, 1000, 4)
    assert data.endswith(b"descriptors=1")
    socket.send_fds(theirs, [framed(b"id=%d\0descriptors=1" % number)], received)
    answer = await reply
    assert not os.get_inheritable(answer.descriptors[0])
    answer.close()
    os.close(received[0])
    assert opened() == before - {str(writing)}
    assert os.read(reading, 1) == b""
    os.close(reading)


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        framed(b"no fields"),
        framed(b"id=x\0descriptors=0"),
        framed(b"id=1\0descriptors=many"),
        framed(b"id=1"),
        struct.pack(">I", MAX_REPLY_BYTES) + b"x",
        struct.pack(">I", 0xFFFFFFFF),
    ],
)
async def test_nonsense_ends_the_connection(ends: Ends, nonsense: bytes) -> None:
    channel, theirs = ends
    _, reply = channel.submit("exec")
    theirs.send(nonsense)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(SandboxLost):
        await reply
    assert channel.lost


async def test_a_reply_that_nobody_asked_for_is_dropped(ends: Ends) -> None:
    channel, theirs = ends
    _, reply = channel.submit("exec")
    before = opened()
    socket.send_fds(theirs, [framed(b"id=99\0descriptors=1")], [theirs.fileno()])
    theirs.send(framed(b"id=1\0descriptors=0"))
    await reply
    assert opened() == before


async def test_too_many_descriptors_end_the_connection(ends: Ends) -> None:
    channel, theirs = ends
    _, reply = channel.submit("exec")
    before = opened()
    for _ in range(3):
        socket.send_fds(theirs, [b"\0"], [theirs.fileno()] * 8)
    with pytest.raises(SandboxLost):
        await reply
    assert len(opened()) == len(before) - 1


async def test_what_does_not_fit_in_the_socket_is_sent_later(ends: Ends) -> None:
    channel, theirs = ends
    channel.submit("exec", arg=["x" * 5_000_000])
    channel.submit("second")
    received = b""
    while not received.endswith(b"op=second\0id=2\0descriptors=0"):
        await asyncio.sleep(0)
        try:
            received += theirs.recv(1 << 20)
        except BlockingIOError:
            continue
    assert len(received) > 5_000_000


async def test_a_nul_is_refused_and_nothing_is_leaked(ends: Ends) -> None:
    channel, _ = ends
    reading, writing = os.pipe()
    before = opened()
    with pytest.raises(ValueError, match="NUL"):
        channel.submit("exec", [writing], arg=["a\0b"])
    assert opened() == before - {str(writing)}
    os.close(reading)


async def test_after_the_end_every_request_is_lost(ends: Ends) -> None:
    channel, theirs = ends
    theirs.close()
    _, reply = channel.submit("exec")
    with pytest.raises(SandboxLost):
        await reply
    reading, writing = os.pipe()
    before = opened()
    with pytest.raises(SandboxLost):
        await channel.request("open", [writing])
    channel.hand_over(reading)
    assert opened() == before - {str(writing), str(reading)}


async def test_a_reply_to_somebody_who_left_is_closed(ends: Ends) -> None:
    channel, theirs = ends
    before = opened()
    for delay in range(4):
        asking = asyncio.create_task(channel.request("open"))
        await asyncio.sleep(0)
        text = b"id=%d\0descriptors=1" % (delay + 1)
        socket.send_fds(theirs, [framed(text)], [theirs.fileno()])
        for _ in range(delay):
            await asyncio.sleep(0)
        if not asking.cancel():
            asking.result().close()
        else:
            with pytest.raises(asyncio.CancelledError):
                await asking
        await asyncio.sleep(0.01)
    assert opened() == before
