"""Patches taken apart, remembered: each file that opens on a page needs its whole patch again."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

from journeyman.web import diff
from journeyman.web.diff import FileDiff

KEPT = 8
LARGE = 200_000
"""Bytes: what is longer is taken apart beside the event loop."""


class Parsed:
    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, list[FileDiff]] = OrderedDict()

    async def get(self, key: Hashable, read: Callable[[], Awaitable[bytes]]) -> list[FileDiff]:
        """*key* must change whenever the patch does."""
        if key not in self._known:
            patch = await read()
            large = len(patch) > LARGE
            files = await asyncio.to_thread(diff.parse, patch) if large else diff.parse(patch)
            self._known[key] = files
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
            return files
        self._known.move_to_end(key)
        return self._known[key]
