"""Repositories as GitHub writes them, complete: typed clients refuse a short one.

Knows nothing of tasks.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import accounts, responses, wire
from journeyman.api.exchange import Addresses, addresses_of
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import AccountType, Permission, Repository
from journeyman.forge import Access
from journeyman.service import Services

TEMPLATES = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}
UNKNOWN = ("description", "homepage", "language", "license", "mirror_url")
ABSENT = ("fork", "disabled", "is_template", "has_issues", "has_projects", "has_wiki", "has_pages")
COUNTS = (
    "forks", "forks_count", "network_count", "open_issues", "open_issues_count", "size",
    "stargazers_count", "subscribers_count", "watchers", "watchers_count",
)  # fmt: skip


class Repositories:
    def __init__(self, services: Services) -> None:
        self._services = services

    async def get(self, request: Request, principal: Principal) -> Response:
        owner, name = request.path_params["owner"], request.path_params["repo"]
        access = await self._services.identity.access(principal, owner, name)
        return responses.as_json(full_repository(access, addresses_of(request.scope)))


def full_repository(access: Access, addresses: Addresses) -> dict[str, Any]:
    repository = access.repository
    owner = accounts.simple_user(repository.owner, addresses)
    found: dict[str, Any] = {
        "id": repository.id,
        "node_id": wire.node_id("R", repository.id),
        "name": repository.name,
        "full_name": repository.full_name,
        "owner": owner,
        "private": repository.private,
        "visibility": "private" if repository.private else "public",
        "default_branch": repository.default_branch,
        "archived": repository.archived,
        "created_at": wire.time(repository.created_at),
        "updated_at": wire.time(repository.updated_at),
        "pushed_at": wire.time(repository.updated_at),
        "permissions": permissions(access.permission),
        "topics": [],
        "has_pull_requests": True,
        "has_discussions": False,
        "has_downloads": False,
        **dict.fromkeys(UNKNOWN),
        **dict.fromkeys(ABSENT, False),
        **dict.fromkeys(COUNTS, 0),
        **urls(repository, addresses),
    }
    if repository.owner.type is AccountType.ORGANIZATION:
        found["organization"] = owner
    return found


def urls(repository: Repository, addresses: Addresses) -> dict[str, str]:
    url = addresses.repository(repository)
    page = f"{addresses.web}/{quote(repository.full_name)}"
    # There is git over HTTP only; a client that prefers another way is sent here too.
    clone = dict.fromkeys(("clone_url", "git_url", "ssh_url"), f"{page}.git")
    templates = {name: f"{url}{template}" for name, template in TEMPLATES.items()}
    return {"url": url, "html_url": page, "svn_url": page, **clone, **templates}


def permissions(granted: Permission) -> dict[str, bool]:
    return {
        "admin": granted >= Permission.ADMIN,
        "maintain": granted >= Permission.ADMIN,
        "push": granted >= Permission.WRITE,
        "triage": granted >= Permission.WRITE,
        "pull": granted >= Permission.READ,
    }
