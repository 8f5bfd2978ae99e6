"""The Link header, with GitHub's own rules for the two lists of tasks.

Knows nothing of what is listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote, urlencode

from starlette.requests import Request

from journeyman.api import exchange, parameters


def link(request: Request, *, page: int, has_more: bool, with_prev: bool = True) -> str:
    """`first` always, `prev` after the first page, `next` before and `last` on the last page.

    No raw comma is inside an address (go-github splits the header there); each has `page`.
    """
    pages = {
        "prev": page - 1 if with_prev and page > 1 else None,
        "next": page + 1 if has_more else None,
        "last": None if has_more else page,
        "first": 1,
    }
    return ", ".join(
        f'<{address(request, number)}>; rel="{rel}"' for rel, number in pages.items() if number
    )


def address(request: Request, page: int) -> str:
    """Where the caller finds *page*: the host, prefix and filters that it used itself."""
    pairs = [pair for pair in parameters.pairs_of(request) if pair[0] != "page"]
    return _address(request, [*pairs, ("page", str(page))])


def _address(request: Request, pairs: Sequence[tuple[str, str]]) -> str:
    query = urlencode(pairs, quote_via=quote, safe="")
    route = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
    return f"{exchange.addresses_of(request.scope).api}{quote(route, safe='/')}?{query}"


def next_link(request: Request, name: str, value: str | None) -> dict[str, str]:
    """A Link header to what follows *value*, the parameter *name*; none where nothing does."""
    if value is None:
        return {}
    pairs = [pair for pair in parameters.pairs_of(request) if pair[0] != name]
    return {"Link": f'<{_address(request, [*pairs, (name, value)])}>; rel="next"'}
