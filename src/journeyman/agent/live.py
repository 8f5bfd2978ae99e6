"""Pieces of a text on their way to the live view, gathered so that a flood is a trickle.

Knows nothing of who watches; what is published here is repeated whole by a stored event.
"""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable
from typing import Self

from journeyman.agent.masking import NO_MASK, Mask
from journeyman.agent.text import clean

INTERVAL_SECONDS = 0.05
PIECE_CHARS = 8_000
"""The most that one piece shows of a burst: its end."""


class Live:
    """`add` text or bytes as they come; *send* gets them at most twenty times a second."""

    def __init__(self, send: Callable[[str], None], mask: Mask = NO_MASK) -> None:
        """*mask*: what may be the beginning of a secret is held back until it is known."""
        self._send = send
        self._mask = mask
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pieces: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._flush()

    def add(self, piece: str | bytes) -> None:
        self._pieces.append(piece if isinstance(piece, str) else self._decoder.decode(piece))
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(INTERVAL_SECONDS, self._flush)

    def _flush(self) -> None:
        text, self._timer = self._mask.text("".join(self._pieces)), None
        unfinished = self._mask.unfinished(text)
        self._pieces = [text[len(text) - unfinished :]] if unfinished else []
        text = text[: len(text) - unfinished]
        if len(text) > PIECE_CHARS:
            text = f"[…]{text[-PIECE_CHARS:]}"
        if text:
            self._send(clean(text))
