"""The head and the tail of a long output: the middle is left out."""

from __future__ import annotations

SLACK_BYTES = 1 << 18
"""How much more than the tail is gathered before its beginning is dropped."""


class Bounded:
    """The first and the last bytes of a stream, *limit_bytes* together."""

    def __init__(self, limit_bytes: int) -> None:
        self._room = limit_bytes - limit_bytes // 2
        self._tail_bytes = limit_bytes // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.total_bytes = 0

    @property
    def truncated(self) -> bool:
        """True when something was left out."""
        return self.total_bytes > len(self._head) + self._tail_bytes

    def add(self, data: bytes) -> None:
        """Take the next *data* of the stream."""
        self.total_bytes += len(data)
        room = self._room - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._tail_bytes + SLACK_BYTES:
            self._forget_middle()

    def content(self) -> bytes:
        """What was kept."""
        self._forget_middle()
        return b"".join((self._head, self._tail))

    def _forget_middle(self) -> None:
        del self._tail[: max(0, len(self._tail) - self._tail_bytes)]
