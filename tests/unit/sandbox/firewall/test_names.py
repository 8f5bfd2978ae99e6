"""What the resolver inside a sandbox makes of what it is asked."""

from __future__ import annotations

import random
import struct

import pytest

from journeyman.sandbox.firewall import names


def query(name: str, kind: int = names.A, *, flags: int = 0x0100, count: int = 1) -> bytes:
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    return (
        b"\x12\x34"
        + struct.pack(">HHHHH", flags, count, 0, 0, 0)
        + labels
        + b"\0"
        + (struct.pack(">HH", kind, 1))
    )


def test_a_question_is_read() -> None:
    asked = names.question(query("WwW.Example.org"))
    assert asked is not None
    assert (asked.name, asked.kind) == ("www.example.org", names.A)


def test_an_answer_repeats_the_question_as_it_came() -> None:
    asked = names.question(query("WwW.Example.org"))
    assert asked is not None
    answer = names.found(asked, "127.64.0.1")
    assert answer[:2] == b"\x12\x34"
    assert struct.unpack(">HHHHH", answer[2:12]) == (0x8180, 1, 1, 0, 0)
    assert b"\x03WwW\x07Example\x03org\0" in answer
    assert answer.endswith(b"\0\x04\x7f\x40\x00\x01")
    assert struct.unpack(">H", names.missing(asked)[2:4]) == (0x8183,)
    assert struct.unpack(">HHH", names.found(asked, None)[2:8]) == (0x8180, 1, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 11,
        b"\0" * 600,
        query("a", flags=0x8180),
        query("a", flags=0x2800),
        query("a", count=2),
        query("a")[:-1],
        query("a")[:12] + b"\xc0\x0c\0\x01\0\x01",
        query("a")[:12] + b"\0\0\x01\0\x01",
        query("a")[:12] + b"\x3fshort",
        query("a")[:-1] + b"\x03",
    ],
)
def test_what_is_no_question_is_left_alone(data: bytes) -> None:
    assert names.question(data) is None


def test_any_noise_is_survived() -> None:
    noise = random.Random(1)
    for _ in range(5000):
        data = bytearray(query("www.example.org"))
        for _ in range(noise.randrange(1, 6)):
            data[noise.randrange(len(data))] = noise.randrange(256)
        asked = names.question(bytes(data[: noise.randrange(len(data) + 1)]))
        if asked is not None:
            assert names.missing(asked)


def test_each_name_has_an_address_of_its_own() -> None:
    mapped = names.Mapped()
    given = [mapped.add(f"n{number}.example") for number in range(names.MOST)]
    assert given[0] == "127.64.0.1"
    assert len(set(given)) == names.MOST
    assert mapped.find("n3.example") == given[3]
    assert mapped.add("one.more.example") is None
