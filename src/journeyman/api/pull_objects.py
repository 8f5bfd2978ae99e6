"""Pull requests as GitHub writes them, complete: typed clients refuse a short one.

Knows nothing of requests.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from journeyman.api import accounts, repositories, wire
from journeyman.api.exchange import Addresses
from journeyman.domain.repositories import PullState
from journeyman.forge import Access
from journeyman.service.pulls import FoundPull, PullDetail

NO_ONE = {"assignee": None, "milestone": None, "auto_merge": None, "active_lock_reason": None}
NONE_OF = ("labels", "assignees", "requested_reviewers", "requested_teams")


def simple(found: FoundPull, access: Access, addresses: Addresses) -> dict[str, Any]:
    """As the list has it."""
    pull, repository = found.pull, access.repository
    end = pull.end
    merged_at = end.at if end and end.merge_sha else None
    author_owns = found.user.id == repository.owner.id
    return {
        "id": pull.id,
        "node_id": wire.node_id("PR", repository.id, pull.id),
        "number": pull.number,
        "state": "open" if pull.state is PullState.OPEN else "closed",
        "locked": False,
        "title": pull.title,
        "body": pull.body,
        "user": accounts.simple_user(found.user, addresses),
        "draft": pull.draft,
        "author_association": "OWNER" if author_owns else "COLLABORATOR",
        "created_at": wire.time(pull.created_at),
        "updated_at": wire.time(pull.updated_at),
        "closed_at": wire.time(end.at) if end else None,
        "merged_at": wire.time(merged_at) if merged_at else None,
        "merge_commit_sha": end.merge_sha if end else None,
        "head": side(pull.head_ref, found.head_sha, access, addresses),
        "base": side(pull.base_ref, found.base_sha, access, addresses),
        **NO_ONE,
        **{name: [] for name in NONE_OF},
        **links(found, access, addresses),
    }


def full(detail: PullDetail, access: Access, addresses: Addresses) -> dict[str, Any]:
    found = detail.found
    merged = found.pull.state is PullState.MERGED
    return {
        **simple(found, access, addresses),
        "merged": merged,
        "merged_by": accounts.simple_user(found.merged_by, addresses) if found.merged_by else None,
        "mergeable": detail.mergeable,
        "rebaseable": detail.mergeable,
        "mergeable_state": mergeable_state(detail),
        "maintainer_can_modify": False,
        "comments": 0,
        "review_comments": 0,
        "commits": detail.commits,
        "additions": detail.additions,
        "deletions": detail.deletions,
        "changed_files": detail.changed_files,
    }


def mergeable_state(detail: PullDetail) -> str:
    if detail.mergeable is None:
        return "unknown"
    if detail.found.pull.draft:
        return "draft"
    return "clean" if detail.mergeable else "dirty"


def side(ref: str, sha: str, access: Access, addresses: Addresses) -> dict[str, Any]:
    owner = access.repository.owner
    return {
        "label": f"{owner.login}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": accounts.simple_user(owner, addresses),
        "repo": repositories.full_repository(access, addresses),
    }


def links(found: FoundPull, access: Access, addresses: Addresses) -> dict[str, Any]:
    repository, number = access.repository, found.pull.number
    api, page = addresses.repository(repository), addresses.pull_page(repository, number)
    url, issue = f"{api}/pulls/{number}", f"{api}/issues/{number}"
    related = {
        "comments": f"{issue}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": f"{api}/pulls/comments{{/number}}",
        "commits": f"{url}/commits",
        "statuses": f"{api}/statuses/{quote(found.head_sha)}",
    }
    whole = {"self": url, "html": page, "issue": issue, **related}
    return {
        "url": url,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        **{f"{name}_url": address for name, address in related.items()},
        "_links": {name: {"href": address} for name, address in whole.items()},
    }
