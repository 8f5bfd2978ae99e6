"""`/agents/usage`: what models were asked for and what that cost, by day, repository, user, model.

Of the repositories that whoever asks may read.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import parameters, responses
from journeyman.domain.overview import Share
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Repository
from journeyman.domain.usage import Spent
from journeyman.service import Services

DAYS, MOST_DAYS = 30, 366


class Usage:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def of_all(self, request: Request, principal: Principal) -> Response:
        return await self._answer(request, principal, None)

    async def of_repository(self, request: Request, principal: Principal) -> Response:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        access = await self._services.identity.access(principal, owner, name)
        return await self._answer(request, principal, access.repository)

    async def _answer(
        self, request: Request, principal: Principal, repository: Repository | None
    ) -> Response:
        pairs = parameters.pairs_of(request)
        days = parameters.number(pairs, "days", default=DAYS, most=MOST_DAYS)
        found = await self._services.overviews.look(principal, days, repository)
        spending = found.spending
        return responses.as_json(
            {
                "total": _amounts(spending.total),
                "days": [
                    {"date": one.day.isoformat(), "amount": one.nano_credits} for one in found.days
                ],
                "repositories": list(map(_share, spending.by_repository)),
                "users": list(map(_share, spending.by_user)),
                "models": list(map(_share, spending.by_model)),
            }
        )


def _share(share: Share) -> dict[str, Any]:
    return {"name": share.name, **_amounts(share.spent)}


def _amounts(spent: Spent) -> dict[str, int]:
    """*amount*: nano AI credits, of what has a known price."""
    return {
        "amount": spent.nano_credits,
        "input_tokens": spent.input_tokens,
        "output_tokens": spent.output_tokens,
    }
