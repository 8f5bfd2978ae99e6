"""What a form sent, and where a page may send the browser next. Knows nothing of sessions."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from journeyman.domain.errors import AppError, Code

LIMIT = 64 * 1024
KIND = "application/x-www-form-urlencoded"


async def read(request: Request, *, limit: int = LIMIT) -> dict[str, str]:
    """The last value of each field. Only what a page of ours would send is taken."""
    if not request.headers.get("content-type", "").startswith(KIND):
        raise AppError(Code.BAD_REQUEST, "A form is wanted.")
    content, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= limit:
            content.append(chunk)
    if size > limit:
        raise AppError(Code.BAD_REQUEST, "The form is too large.")
    text = b"".join(content).decode("utf-8", "replace")
    return {key: value.replace("\0", "") for key, value in parse_qsl(text, keep_blank_values=True)}


def local(target: str) -> str | None:
    """*target*, if it is a path of this server: never a way to another host."""
    if not re.fullmatch(r"/[!-~]{0,2000}", target) or target.startswith("//") or "\\" in target:
        return None
    parts = urlsplit(target)
    return None if parts.scheme or parts.netloc else target
