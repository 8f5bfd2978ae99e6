"""Carrying a delivery to its receiver: the contract. Knows nothing of hooks, logs or retries."""

from __future__ import annotations

from typing import Protocol

from journeyman.domain.hooks import Request, Response


class Sender(Protocol):
    async def send(self, request: Request) -> Response:
        """POST it, once. Whatever goes wrong is a Response without a code, never an exception."""
        ...
