"""Requests as the application's parts see them, for tests below the whole application."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Message

from journeyman.api.exchange import KEY, Exchange


def request(
    target: str = "/",
    *,
    headers: dict[str, str] | None = None,
    chunks: tuple[bytes, ...] = (b"",),
    root_path: str = "",
    scheme: str = "http",
    public_url: str = "",
) -> Request:
    path, _, query = target.partition("?")
    sent = {"host": "forge.test", **(headers or {})}
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": scheme,
        "path": path,
        "root_path": root_path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("192.0.2.1", 1234),
        "server": ("127.0.0.1", 8080),
        KEY: Exchange(public_url=public_url),
    }
    waiting = list(chunks)

    async def receive() -> Message:
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    return Request(scope, receive)
