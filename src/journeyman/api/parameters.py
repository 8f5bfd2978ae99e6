"""The query parameters of the lists, in every spelling that clients send.

A bad value is a 422 that names it. Knows nothing of what is listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar
from urllib.parse import parse_qsl

from starlette.requests import Request

from journeyman.domain.errors import AppError, invalid
from journeyman.domain.queries import Sort, TaskQuery
from journeyman.domain.sessions import State

Pairs = list[tuple[str, str]]
T = TypeVar("T")

MOST_PER_PAGE = 100
LAST_PAGE = 10**9
LARGEST_ID = 2**63 - 1
LARGEST_INTEGER = 2**31 - 1
LOST_PLUS = re.compile(r" (\d\d:?\d\d)$")
NUMBER = re.compile(r"[0-9]{1,19}")


def pairs_of(request: Request) -> Pairs:
    raw = request.scope["query_string"].decode("utf-8", "replace")
    return parse_qsl(raw, keep_blank_values=True)


def task_query(pairs: Pairs) -> TaskQuery:
    page, per_page = paging(pairs)
    return TaskQuery(
        page=page,
        per_page=per_page,
        sort=choice(pairs, "sort", {sort.value: sort for sort in Sort}, Sort.UPDATED_AT),
        ascending=choice(pairs, "direction", {"asc": True, "desc": False}, default=False),
        states=states(pairs),
        archived=flag(pairs, "is_archived"),
        since=moment(pairs, "since"),
    )


def repository_query(pairs: Pairs) -> TaskQuery:
    """The list of a repository knows whose tasks are wanted."""
    return replace(task_query(pairs), creator_ids=ids(pairs, "creator_id"))


def paging(pairs: Pairs, *, per_page: int = 30, most: int = MOST_PER_PAGE) -> tuple[int, int]:
    """Page and page size."""
    page = number(pairs, "page", default=1, most=LAST_PAGE)
    return page, number(pairs, "per_page", default=per_page, most=most)


def page_of(items: Sequence[T], page: int, per_page: int) -> tuple[Sequence[T], bool]:
    """A page of what is held as a whole, and whether there is more."""
    end = page * per_page
    return items[end - per_page : end], len(items) > end


def is_number(text: str, most: int) -> bool:
    """A whole number from 1 to *most*."""
    return NUMBER.fullmatch(text) is not None and 1 <= int(text) <= most


def last(pairs: Pairs, name: str) -> str | None:
    """The last one counts, as in GitHub's own server."""
    found = None
    for key, value in pairs:
        if key == name:
            found = value
    return found


def listed(pairs: Pairs, name: str) -> list[str]:
    """`a=1&a=2`, `a[]=1&a[]=2` and `a=1,2` are the same list."""
    texts = [value for key, value in pairs if key in (name, f"{name}[]")]
    return [item for text in texts for part in text.split(",") if (item := part.strip())]


def number(pairs: Pairs, name: str, *, default: int, most: int) -> int:
    text = last(pairs, name)
    if text is None:
        return default
    if not is_number(text, most):
        raise bad(name, text, f"a whole number from 1 to {most}")
    return int(text)


def cursor(pairs: Pairs, name: str) -> int | None:
    """The id of what a page begins behind; None at the beginning."""
    text = last(pairs, name)
    if text is None:
        return None
    if not is_number(text, LARGEST_ID):
        raise bad(name, text, "a cursor from a Link header")
    return int(text)


def choice(pairs: Pairs, name: str, choices: dict[str, T], default: T) -> T:
    text = last(pairs, name)
    if text is None:
        return default
    if text not in choices:
        raise bad(name, text, one_of(choices))
    return choices[text]


def flag(pairs: Pairs, name: str) -> bool:
    text = last(pairs, name)
    if text is None:
        return False
    if text.lower() not in ("true", "false"):
        raise bad(name, text, "true or false")
    return text.lower() == "true"


def states(pairs: Pairs) -> frozenset[State]:
    found = listed(pairs, "state")
    known = {state.value: state for state in State}
    for text in found:
        if text not in known:
            raise bad("state", text, one_of(known))
    return frozenset(known[text] for text in found)


def ids(pairs: Pairs, name: str) -> frozenset[int]:
    found = listed(pairs, name)
    for text in found:
        if not NUMBER.fullmatch(text) or int(text) > LARGEST_ID:
            raise bad(name, text, "a list of numeric ids")
    return frozenset(map(int, found))


def moment(pairs: Pairs, name: str) -> datetime | None:
    """ISO 8601, UTC without an offset. An unescaped `+00:00` arrives with a space for its plus."""
    text = last(pairs, name)
    if text is None:
        return None
    clean = text.strip()
    if "T" in clean or clean.count(" ") > 1:
        clean = LOST_PLUS.sub(r"+\1", clean)
    try:
        value = datetime.fromisoformat(clean)
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise bad(name, text, "a time such as 2025-01-31T12:00:00Z") from None


def one_of(names: Iterable[str]) -> str:
    return "one of " + ", ".join(names)


def bad(name: str, value: str, wanted: str) -> AppError:
    return invalid(name, f"{name} {value[:100]!r} is not {wanted}.", "invalid")
