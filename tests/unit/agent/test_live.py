"""Pieces on their way to the live view."""

from __future__ import annotations

import asyncio

from journeyman.agent.live import INTERVAL_SECONDS, PIECE_CHARS, Live
from journeyman.agent.masking import Mask


async def test_pieces_are_gathered() -> None:
    sent: list[str] = []
    with Live(sent.append) as live:
        for letter in "abc":
            live.add(letter)
        assert sent == []
        await asyncio.sleep(INTERVAL_SECONDS * 2)
        assert sent == ["abc"]
        live.add("d")

    assert sent == ["abc", "d"], "what is left goes out at the end"


async def test_silence_after_a_piece_does_not_hold_it_back() -> None:
    sent: list[str] = []
    with Live(sent.append) as live:
        live.add("compiling")
        await asyncio.sleep(INTERVAL_SECONDS * 3)
        assert sent == ["compiling"]


async def test_a_character_cut_in_two_is_shown_whole() -> None:
    sent: list[str] = []
    with Live(sent.append) as live:
        live.add("é".encode()[:1])
        live.add("é".encode()[1:])
        live.add(b"\xff")

    assert sent == ["é\ufffd"]


async def test_of_a_flood_the_end_is_shown() -> None:
    sent: list[str] = []
    with Live(sent.append) as live:
        live.add(b"x" * 10_000_000 + b"end")

    (text,) = sent
    assert text.endswith("end")
    assert len(text) < PIECE_CHARS + 10


async def test_nothing_is_sent_for_nothing() -> None:
    sent: list[str] = []
    with Live(sent.append):
        pass

    assert sent == []


async def test_a_secret_in_two_pieces_is_hidden() -> None:
    sent: list[str] = []
    with Live(sent.append, Mask(["hunter22"])) as live:
        live.add("the key is hun")
        await asyncio.sleep(INTERVAL_SECONDS * 3)
        live.add("ter22, and the hunt")
        await asyncio.sleep(INTERVAL_SECONDS * 3)
        live.add(" is on")

    assert "".join(sent) == "the key is ******, and the hunt is on"
    assert sent[0] == "the key is "


async def test_a_secret_at_the_edge_of_what_is_shown_is_hidden() -> None:
    sent: list[str] = []
    with Live(sent.append, Mask(["hunter22"])) as live:
        live.add("x" * 1000 + "hunter22" + "y" * (PIECE_CHARS - 4))

    assert "er22" not in sent[0]
