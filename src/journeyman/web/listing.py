"""The list of tasks: what is searched for is in its address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.artifacts import PullArtifact
from journeyman.domain.browsing import Search
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Sort
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import State
from journeyman.domain.tasks import Task
from journeyman.service import Services
from journeyman.web import addresses, bulk
from journeyman.web.desk import Desk
from journeyman.web.session import Visit

TABS: Mapping[str, tuple[str, str, frozenset[State]]] = {
    "": ("All", "", frozenset()),
    "active": ("Working", "in_progress", frozenset({State.QUEUED, State.IN_PROGRESS})),
    "waiting": ("Needs you", "waiting_for_user", frozenset({State.WAITING_FOR_USER, State.IDLE})),
    "completed": ("Completed", "completed", frozenset({State.COMPLETED})),
    "failed": ("Failed", "failed", frozenset({State.FAILED, State.TIMED_OUT})),
    "cancelled": ("Cancelled", "cancelled", frozenset({State.CANCELLED})),
}
"""By the word in the address: name, icon, states."""
ORDERS = {
    "": (Sort.UPDATED_AT, False),
    "oldest-change": (Sort.UPDATED_AT, True),
    "newest": (Sort.CREATED_AT, False),
    "oldest": (Sort.CREATED_AT, True),
}
LAST_PAGE = 10_000
MINE = "@me"
"""As GitHub's searches have it; no login has an @."""


@dataclass(frozen=True)
class Tab:
    name: str
    icon: str
    count: int | None
    address: str
    current: bool


class Listing:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def all(self, request: Request, visit: Visit) -> Response:
        """Every task that one may see; `part=list` gives only what changes by itself."""
        principal = await self._desk.principal(request, visit)
        chosen = await self._chosen(principal, request.query_params.get("repository", ""))
        return await self._show(request, visit, principal, chosen, of_repository=False)

    async def of_repository(self, request: Request, visit: Visit) -> Response:
        principal = await self._desk.principal(request, visit)
        owner, name = request.path_params["owner"], request.path_params["repo"]
        access = await self._services.identity.access(principal, owner, name)
        return await self._show(request, visit, principal, access.repository, of_repository=True)

    async def _chosen(self, principal: Principal, full_name: str) -> Repository | None:
        owner, _, name = full_name.partition("/")
        if not owner or not name:
            return None
        return (await self._services.identity.access(principal, owner, name)).repository

    async def _show(
        self,
        request: Request,
        visit: Visit,
        principal: Principal,
        repository: Repository | None,
        *,
        of_repository: bool,
    ) -> Response:
        asked = dict(request.query_params)
        part = asked.pop("part", "") == "list"
        said, failed = asked.pop("said", ""), asked.pop("failed", "")
        search = _search(asked, principal, repository)
        found = await self._services.browsing.find(principal, search)
        path = request.url.path
        new_task = addresses.with_query(
            addresses.NEW, {"repository": repository.full_name if repository else ""}
        )
        values = {
            "search": search,
            "found": found,
            "total": sum(found.counts[s] for s in found.counts if s in (search.states or State)),
            "tabs": _tabs(path, asked, found.counts),
            "repository": repository if of_repository else None,
            "chosen_repository": repository.full_name if repository else "",
            "repositories": await self._services.browsing.repositories(principal),
            "creators": await self._services.browsing.creators(principal),
            "creator": asked.get("creator", ""),
            "mine": MINE,
            "narrowed": _narrowed(asked),
            "path": path,
            "here": addresses.with_query(path, asked),
            "all_tasks": path,
            "new_task": new_task,
            "previous": addresses.with_query(path, asked | {"page": _earlier(search.page)}),
            "next": addresses.with_query(path, asked | {"page": search.page + 1}),
            "order": asked.get("sort", ""),
            "search_states": asked.get("state", ""),
            "said": bulk.done(said),
            "failed": bulk.not_done(failed),
            "pulls_of": pulls_of,
        }
        return self._desk.page("rows.html" if part else "tasks.html", visit, **values)


def _search(
    asked: Mapping[str, str], principal: Principal, repository: Repository | None
) -> Search:
    sort, ascending = ORDERS.get(asked.get("sort", ""), ORDERS[""])
    return Search(
        states=_states(asked.get("state", "")),
        repository_id=repository.id if repository else None,
        creator=login if (login := asked.get("creator", "")) != MINE else principal.account.login,
        archived=asked.get("archived") == "1",
        text=asked.get("q", "").strip()[:200],
        sort=sort,
        ascending=ascending,
        page=_page(asked.get("page", "")),
    )


def _states(word: str) -> frozenset[State]:
    if word in TABS:
        return TABS[word][2]
    return frozenset({State(word)}) if word in set(State) else frozenset()


def _page(text: str) -> int:
    return min(max(int(text), 1), LAST_PAGE) if text.isdecimal() and len(text) < 8 else 1


def _earlier(page: int) -> int | str:
    return page - 1 if page > 2 else ""


def _narrowed(asked: Mapping[str, str]) -> bool:
    return any(
        asked.get(key) for key in ("q", "state", "creator", "archived", "repository", "page")
    )


def _tabs(path: str, asked: Mapping[str, str], counts: Mapping[State, int]) -> list[Tab]:
    current = asked.get("state", "")
    rest = {key: value for key, value in asked.items() if key not in ("state", "page")}
    return [
        Tab(
            name,
            icon,
            sum(count for state, count in counts.items() if state in (states or State)),
            addresses.with_query(path, {**rest, "state": word}),
            word == current,
        )
        for word, (name, icon, states) in TABS.items()
    ]


def pulls_of(task: Task) -> list[int]:
    """The numbers of the pull requests it made."""
    return [made.number for made in task.artifacts if isinstance(made, PullArtifact)]
