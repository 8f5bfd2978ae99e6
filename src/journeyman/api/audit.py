"""`/repos/{owner}/{repo}/agents/audit-log`: entries with the fields of GitHub's audit log.

Knows nothing of who writes them.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import pagination, parameters, responses
from journeyman.domain.audit import AuditQuery, Entry
from journeyman.domain.errors import invalid
from journeyman.domain.principals import Principal, TokenKind
from journeyman.service import Services

ACCESS_TYPES = {
    TokenKind.CLASSIC: "Personal access token (classic)",
    TokenKind.FINE_GRAINED: "Fine-grained personal access token",
    TokenKind.OAUTH: "OAuth access token",
    TokenKind.APP_USER: "GitHub App user-to-server token",
    TokenKind.INSTALLATION: "GitHub App server-to-server token",
}
QUALIFIER = re.compile(r"(?P<name>action|actor|created):(?P<value>\S+)")
CREATED = re.compile(r"(?P<from>>=|>)?(?P<until><=|<)?(?P<day>\d{4}-\d\d-\d\d)")
RANGE = re.compile(r"(?P<from>\d{4}-\d\d-\d\d)\.\.(?P<until>\d{4}-\d\d-\d\d)")
DAY = timedelta(days=1)


class AuditLog:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def list(self, request: Request, principal: Principal) -> Response:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        access = await self._services.identity.access(principal, owner, name)
        query = query_of(request)
        found, more = await self._services.audit.of_repository(access, query)
        link = pagination.next_link(request, "after", str(found[-1].id) if more else None)
        return responses.as_json([entry(one) for one in found], headers=link)


def query_of(request: Request) -> AuditQuery:
    pairs = parameters.pairs_of(request)
    return AuditQuery(
        per_page=parameters.number(pairs, "per_page", default=30, most=100),
        after=parameters.cursor(pairs, "after"),
        ascending=parameters.choice(pairs, "order", {"asc": True, "desc": False}, False),
        **parse_phrase(parameters.last(pairs, "phrase") or ""),
    )


def parse_phrase(phrase: str) -> dict[str, Any]:
    """GitHub's search: `action:task.create actor:alice created:>=2026-01-31`. INVALID for what is
    none of these."""
    actions, actors, times = set(), set(), {}
    for word in phrase.split():
        found = QUALIFIER.fullmatch(word)
        if found is None:
            raise _wrong(word)
        if found["name"] == "action":
            actions.add(found["value"])
        elif found["name"] == "actor":
            actors.add(found["value"])
        else:
            times = _times(found["value"])
    return {"actions": frozenset(actions), "actors": frozenset(actors), **times}


def _times(text: str) -> dict[str, datetime]:
    between, one = RANGE.fullmatch(text), CREATED.fullmatch(text)
    if between is not None:
        return {"since": _day(between["from"]), "until": _day(between["until"]) + DAY}
    if one is None or (one["from"] and one["until"]):
        raise _wrong(f"created:{text}")
    day = _day(one["day"])
    if one["from"]:
        return {"since": day + (DAY if one["from"] == ">" else timedelta())}
    if one["until"]:
        return {"until": day + (DAY if one["until"] == "<=" else timedelta())}
    return {"since": day, "until": day + DAY}


def _day(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise _wrong(f"created:{text}") from None


def _wrong(word: str) -> Exception:
    wanted = "action:NAME, actor:LOGIN or created:>=YYYY-MM-DD"
    return invalid("phrase", f"{word[:100]!r} in phrase is not {wanted}.", "invalid")


def entry(found: Entry) -> dict[str, Any]:
    """Times in milliseconds, as GitHub's. What is not known is left out."""
    at = int(found.created_at.timestamp() * 1000)
    kind = found.token_kind
    known = {
        "actor": found.actor,
        "actor_id": found.actor_id,
        "actor_ip": found.address,
        "user": found.user,
        "user_id": found.user_id,
        "repo": found.repository,
        "repo_id": found.repository_id,
        "org": found.organization,
        "org_id": found.organization_id,
        "token_id": found.token_id,
        "programmatic_access_type": None if kind is None else ACCESS_TYPES[kind],
        "request_id": found.request_id,
    }
    return {
        "@timestamp": at,
        "_document_id": str(found.id),
        "action": found.action,
        "created_at": at,
        "surface": found.surface,
        **{key: value for key, value in known.items() if value is not None},
        "data": found.data,
    }
