"""What the server says of itself: the root, meta, versions, rate limit, health.

Knows nothing of tasks, and calls no service.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from journeyman.api import exchange, responses, versions
from journeyman.api.exchange import addresses_of
from journeyman.domain.errors import not_found

ZEN = "Leave the branch better than you found it."
LINKS = {
    "current_user_url": "/user",
    "authorizations_url": "/authorizations",
    "code_search_url": "/search/code?q={query}{&page,per_page,sort,order}",
    "commit_search_url": "/search/commits?q={query}{&page,per_page,sort,order}",
    "emails_url": "/user/emails",
    "emojis_url": "/emojis",
    "events_url": "/events",
    "feeds_url": "/feeds",
    "followers_url": "/user/followers",
    "following_url": "/user/following{/target}",
    "gists_url": "/gists{/gist_id}",
    "hub_url": "/hub",
    "issue_search_url": "/search/issues?q={query}{&page,per_page,sort,order}",
    "issues_url": "/issues",
    "keys_url": "/user/keys",
    "label_search_url": "/search/labels?q={query}&repository_id={repository_id}{&page,per_page}",
    "notifications_url": "/notifications",
    "organization_url": "/orgs/{org}",
    "organization_repositories_url": "/orgs/{org}/repos{?type,page,per_page,sort}",
    "organization_teams_url": "/orgs/{org}/teams",
    "public_gists_url": "/gists/public",
    "rate_limit_url": "/rate_limit",
    "repository_url": "/repos/{owner}/{repo}",
    "repository_search_url": "/search/repositories?q={query}{&page,per_page,sort,order}",
    "current_user_repositories_url": "/user/repos{?type,page,per_page,sort}",
    "starred_url": "/user/starred{/owner}{/repo}",
    "starred_gists_url": "/gists/starred",
    "topic_search_url": "/search/topics?q={query}{&page,per_page}",
    "user_url": "/users/{user}",
    "user_organizations_url": "/user/orgs",
    "user_repositories_url": "/users/{user}/repos{?type,page,per_page,sort}",
    "user_search_url": "/search/users?q={query}{&page,per_page,sort,order}",
}
"""GitHub's whole list, most of it not served here: a typed client refuses a shorter one."""

Ready = Callable[[], Awaitable[bool]]


async def index(request: Request) -> Response:
    addresses = addresses_of(request.scope)
    links = {name: f"{addresses.api}{path}" for name, path in LINKS.items()}
    page = f"{addresses.web}/settings/connections/applications{{/client_id}}"
    return responses.as_json({**links, "current_user_authorizations_html_url": page})


async def meta(_request: Request) -> Response:
    return responses.as_json({"verifiable_password_authentication": False})


async def supported_versions(_request: Request) -> Response:
    return responses.as_json(sorted(versions.SUPPORTED))


async def zen(_request: Request) -> Response:
    return PlainTextResponse(ZEN)


async def rate_limit(request: Request) -> Response:
    window = exchange.of(request.scope).window
    if window is None:
        raise not_found("Rate limiting is not enabled.")
    rate = {
        "limit": window.limit,
        "used": min(window.used, window.limit),
        "remaining": window.remaining,
        "reset": window.resets_at,
    }
    return responses.as_json({"resources": {"core": rate, "search": rate}, "rate": rate})


async def healthz(_request: Request) -> Response:
    """The process answers."""
    return responses.as_json({"status": "ok"})


def readyz(ready: Ready) -> Callable[[Request], Awaitable[Response]]:
    """The process can do its work."""

    async def endpoint(_request: Request) -> Response:
        if await ready():
            return responses.as_json({"status": "ok"})
        return responses.as_json({"status": "unavailable"}, 503)

    return endpoint
