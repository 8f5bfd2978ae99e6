"""Request bodies: read within a limit, parsed, and checked against a Struct.

Wrong JSON is a 400, a wrong shape a 422 that names the field. Unknown keys are tolerated, null is
absent. Knows nothing of what the body asks for.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from journeyman.api.errors import Refusal, invalid_request
from journeyman.domain.errors import AppError, Code, invalid

T = TypeVar("T", bound=msgspec.Struct)

LIMIT = 4 * 1024 * 1024
PLACE = re.compile(r"at `\$\.(?P<path>[^`\[]+)[^`]*`$")
WANTED = re.compile(r"Expected `(?P<kind>[^`|]+)")
UNKNOWN = re.compile(r"Object contains unknown field `(?P<name>.*)` - at", re.DOTALL)
KINDS = {
    "str": "a string",
    "bool": "a boolean",
    "int": "an integer",
    "float": "a number",
    "array": "an array",
    "object": "an object",
}


async def read(request: Request, kind: type[T]) -> T:
    values = parse(await read_bytes(request))
    present = {key: value for key, value in values.items() if value is not None}
    try:
        return msgspec.convert(present, kind)
    except msgspec.ValidationError as error:
        raise wrong_type(str(error), present) from None


async def read_bytes(request: Request) -> bytes:
    """A body over the limit is read to its end too: a client still sending sees no answer."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= LIMIT:
            chunks.append(chunk)
    if size > LIMIT:
        # Not 413: the contract has none, and octokit would send it all three times more.
        raise Refusal(Code.INVALID, f"The body has {size} bytes; the most is {LIMIT}.")
    return b"".join(chunks)


def parse(content: bytes) -> dict[str, Any]:
    """An empty body is an empty object."""
    try:
        values = msgspec.json.decode(content) if content.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Refusal(Code.BAD_REQUEST, "Problems parsing JSON") from None
    if not isinstance(values, dict):
        raise Refusal(Code.BAD_REQUEST, "Body should be a JSON object")
    return values


def wrong_type(message: str, values: dict[str, Any]) -> AppError:
    """*message*: what msgspec says is wrong with *values*."""
    place = PLACE.search(message)
    assert place is not None, message
    found: Any = values
    for step in place["path"].split("."):
        found = found[step]
    shown = msgspec.json.encode(found).decode()[:100]
    where, field = place["path"].replace(".", "/"), place["path"]
    text = f"For 'properties/{where}', {shown} {_fault(message)}."
    return invalid_request(text, field, "invalid")


def _fault(message: str) -> str:
    if wanted := WANTED.match(message):
        return f"is not {KINDS[wanted['kind'].strip()]}"
    if unknown := UNKNOWN.match(message):
        return f"has a key {unknown['name'][:100]!r} that is not known"
    return "is out of range"


def text(value: str | None, field: str) -> str | None:
    """An empty text is an absent one. A store may not hold NUL, and no file or branch has one."""
    if value is not None and "\0" in value:
        raise invalid(field, f"{field} has a NUL character; leave it out.", "invalid")
    return value or None
