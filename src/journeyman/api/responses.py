"""Answers that are not errors: JSON, and 304 where the caller already has it.

Knows nothing of what is answered.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

TEXT_KIND = re.compile(r"application/vnd\.github\.(?:v3\.)?(?P<kind>diff|patch)\b")
JSON = "application/json; charset=utf-8"
SHAPE = 1
"""Part of every ETag; grows when the same version of a task would be written differently."""

_encoder = msgspec.json.Encoder()


def encode(content: Any) -> bytes:
    return _encoder.encode(content)


def as_json(
    content: Any, status: int = 200, *, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(encode(content), status, headers, JSON)


def text_kind(request: Request) -> str | None:
    """`diff` or `patch` where the caller asks for GitHub's media type of that name."""
    found = TEXT_KIND.search(request.headers.get("accept", ""))
    return found["kind"] if found else None


def as_text(content: bytes, kind: str) -> Response:
    """A diff or patch, in GitHub's media type for it."""
    media_type = f"application/vnd.github.{kind}; charset=utf-8"
    marked = {"X-GitHub-Media-Type": f"github.v3; param={kind}"}
    return Response(content, headers={**marked, "Content-Type": media_type})


def etag_of(*versions: object) -> str:
    """Weak: it stands for the content's version, not for its bytes."""
    return f'W/"{SHAPE}-{"-".join(map(str, versions))}"'


def etag_of_list(parts: Iterable[object]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(f"{part},".encode())
    return etag_of(digest.hexdigest())


def has(request: Request, etag: str) -> bool:
    """Whether the caller said that it has *etag*; compared weakly, as the header asks for."""
    known = request.headers.get("if-none-match")
    if known is None:
        return False
    wanted = etag.removeprefix("W/")
    tags = (tag.strip().removeprefix("W/") for tag in known.split(","))
    return any(tag in (wanted, "*") for tag in tags)


def not_modified(etag: str) -> Response:
    return Response(status_code=304, headers={"ETag": etag})
