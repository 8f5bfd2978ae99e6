"""Cancelling and archiving many tasks at once, and the sentences about what came of it."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Principal
from journeyman.domain.sessions import State
from journeyman.service import Services
from journeyman.web import addresses, forms, render
from journeyman.web.desk import Desk
from journeyman.web.session import Visit

MOST = 100
DONE = {"cancel": "cancelled", "archive": "archived", "unarchive": "taken out of the archive"}
WHY: Mapping[str, Mapping[str, str]] = {
    "forbidden": dict.fromkeys(DONE, "you may not write to the repository"),
    "not_found": dict.fromkeys(DONE, "gone, or not for you to see"),
    "conflict": {"cancel": "ended before", "archive": "still at work; cancel first, or wait"},
}
"""By an error's code and what was to be done."""
_TOLD = re.compile(r"(\d{1,3})-(\w+)(?:-(\w+))?")


class Bulk:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def act(self, request: Request, visit: Visit) -> Response:
        """On what was chosen; back to the list, which says how many, and why not the others."""
        principal = await self._desk.principal(request, visit)
        sent = await self._desk.form(request, visit)
        back = forms.local(sent.get("back", "")) or addresses.HOME
        verb = sent.get("verb", "")
        if verb not in DONE:
            return render.redirect(back)
        chosen = [key.removeprefix("task-") for key in sent if key.startswith("task-")][:MOST]
        ends = Counter(await asyncio.gather(*(self._act(principal, verb, one) for one in chosen)))
        failed = [f"{count}-{verb}-{code.value}" for code, count in ends.items() if code]
        said = {
            "said": f"{ends[None]}-{verb}" if ends[None] else "",
            "failed": ".".join(sorted(failed)),
        }
        path, _, query = back.partition("?")
        return render.redirect(_joined(path, query, addresses.with_query("", said)))

    async def _act(self, principal: Principal, verb: str, task_id: str) -> Code | None:
        """Why it could not be."""
        try:
            if verb != "cancel":
                await self._services.tasks.archive(principal, task_id, verb == "archive")
                return None
            session = (await self._services.sessions.cancel(principal, task_id)).session
        except AppError as error:
            return error.code
        return Code.CONFLICT if session.ended and session.state is not State.CANCELLED else None


def done(told: str) -> str:
    """The sentence for `3-cancel` in an address, which could say anything."""
    found = _TOLD.fullmatch(told)
    return f"{_tasks(found)} {DONE[found[2]]}." if found and found[2] in DONE else ""


def not_done(told: str) -> str:
    """A sentence for each of `2-cancel-forbidden.1-cancel-conflict`."""
    found = [one for one in map(_TOLD.fullmatch, told.split(".")[: len(Code)]) if one]
    return " ".join(
        f"{_tasks(one)} could not be {DONE[one[2]]}{_why(one)}." for one in found if one[2] in DONE
    )


def _tasks(found: re.Match[str]) -> str:
    return f"{int(found[1])} task{'' if int(found[1]) == 1 else 's'}"


def _why(found: re.Match[str]) -> str:
    why = WHY.get(found[3] or "", {}).get(found[2])
    return f" ({why})" if why else ""


def _joined(path: str, query: str, more: str) -> str:
    queries = [part for part in (query, more.removeprefix("?")) if part]
    return f"{path}?{'&'.join(queries)}" if queries else path
