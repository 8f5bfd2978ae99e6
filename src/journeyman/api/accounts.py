"""Accounts as GitHub writes them, complete: typed clients refuse a short one.

Knows nothing of tokens or repositories.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import responses, wire
from journeyman.api.exchange import Addresses, addresses_of
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Account, AccountType

NODE_PREFIX = {AccountType.USER: "U", AccountType.ORGANIZATION: "O"}
UNKNOWN = ("name", "company", "location", "email", "hireable", "bio", "twitter_username")
COUNTS = ("public_repos", "public_gists", "followers", "following")


async def own(request: Request, principal: Principal) -> Response:
    """`GET /user`."""
    return responses.as_json(public_user(principal.account, addresses_of(request.scope)))


def simple_user(account: Account, addresses: Addresses) -> dict[str, Any]:
    url = f"{addresses.api}/users/{account.login}"
    return {
        "login": account.login,
        "id": account.id,
        "node_id": wire.node_id(NODE_PREFIX[account.type], account.id),
        "avatar_url": f"{addresses.web}/{account.login}.png",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{addresses.web}/{account.login}",
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": account.type,
        "user_view_type": "public",
        "site_admin": account.site_admin,
    }


def public_user(account: Account, addresses: Addresses) -> dict[str, Any]:
    created_at = wire.time(account.created_at)
    return {
        **simple_user(account, addresses),
        **dict.fromkeys(UNKNOWN),
        "blog": "",
        **dict.fromkeys(COUNTS, 0),
        "created_at": created_at,
        "updated_at": created_at,
    }
