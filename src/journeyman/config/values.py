"""One setting's value: from what was written to its type, and the words for what is wrong.

Knows nothing of which settings there are.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from journeyman.config.limits import Figures
from journeyman.config.sections import MASK, Names, Pairs, Size
from journeyman.domain.errors import AppError, Code, FieldError

SECRETS = (
    "database.url",
    "forge.client_secret",
    "metrics.token",
    "triggers.secret",
    "triggers.token",
)


class Found(NamedTuple):
    value: Any
    origin: str
    text: bool
    """From the environment, where everything is a string."""


Layer = dict[str, Found]


def secret_file(path: str | None) -> str | None:
    if not path:
        return None
    try:
        return Path(path).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise wrong(
            "secret", f"cannot read the secret in {path}: {getattr(exc, 'strerror', exc)}"
        ) from exc


def is_there(path: Path) -> bool:
    """INVALID where this user may not look."""
    try:
        return path.is_file()
    except OSError as exc:
        whose = f"cannot look into {str(path.parent)!r} ({exc.strerror})"
        message = f"{whose}; run this as its owner, or name another directory with --data DIR."
        raise wrong("data", message) from exc


def convert(key: str, found: Found, kind: Any) -> Any:
    value = found.value
    if kind == Size and isinstance(value, str):
        value = bytes(value)
    elif kind == Names and isinstance(value, str) and found.text:
        value = [part.strip() for part in value.split(",") if part.strip()]
    elif kind == Pairs and isinstance(value, str) and found.text:
        value = pairs(key, value)
    try:
        if kind == Figures and found.text:
            value = msgspec.json.decode(value)
        return msgspec.convert(value, kind, strict=not found.text)
    except msgspec.DecodeError as exc:
        shown = MASK if is_secret(key) else repr(found.value)
        raise wrong(key, f"{key} = {shown} (from {found.origin}) is wrong: {exc}") from None


def pairs(key: str, text: str) -> dict[str, str]:
    found = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = map(str.strip, part.partition("="))
        if not (name and equals and value):
            shown = MASK if is_secret(key) else repr(part)
            raise wrong(key, f"{key}: {shown} is not NAME=VALUE.")
        found[name] = value
    return found


def bytes(text: str) -> int | str:
    """As it came when it is not a size: the conversion then says so."""
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)(?:iB|B)?", text.strip())
    return int(match[1]) << (10 * " KMGT".index(match[2] or " ")) if match else text


def known(name: str, known: Sequence[str], origin: str) -> None:
    if name not in known:
        raise wrong(name, f"unknown setting {name!r} in {origin}{nearest(name, known)}")


def nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there is: {', '.join(sorted(known))}."


def wrong(key: str, message: str) -> AppError:
    return AppError(Code.INVALID, message, (FieldError(key, "invalid", message),))


def is_secret(key: str) -> bool:
    return key.rsplit(".", 1)[-1] in ("api_key", "token", "env", "credentials") or key in SECRETS
