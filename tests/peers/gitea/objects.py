"""What is on the local Gitea as its API writes it, as far as anybody here reads it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from tests.peers.github.state import (
    MADE,
    CheckRun,
    Comment,
    Issue,
    IssueEvent,
    Pull,
    Repository,
    Review,
    User,
)

NO_COMMIT = "0" * 40
UNKNOWN = "0001-01-01T00:00:00Z"
"""Go's zero time."""
STATES = {"success": "success", "failure": "failure", "neutral": "warning", "skipped": "skipped"}
REVIEWS = {
    "COMMENTED": "COMMENT",
    "CHANGES_REQUESTED": "REQUEST_CHANGES",
    "APPROVED": "APPROVED",
    "PENDING": "PENDING",
}

Object = dict[str, Any]


def time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def is_draft(title: str) -> bool:
    """By Gitea's default WORK_IN_PROGRESS_PREFIXES."""
    return re.match(r"WIP:|\[WIP\]", title, re.IGNORECASE) is not None


def user(of: User) -> Object:
    return {
        "id": of.id,
        "login": of.login,
        "login_name": "",
        "full_name": "",
        "email": f"{of.login}@noreply.localhost",
        "avatar_url": "https://gitea.test/avatar",
        "is_admin": False,
        "created": time(MADE),
        "last_login": UNKNOWN,
        "restricted": False,
        "active": False,
        "visibility": "public",
    }


def repository(of: Repository, viewer: User | None) -> Object:
    return {
        "id": of.id,
        "owner": user(of.owner),
        "name": of.name,
        "full_name": of.full_name,
        "private": of.private,
        "internal": False,
        "empty": False,
        "fork": False,
        "mirror": False,
        "archived": of.archived,
        "archived_at": UNKNOWN,
        "default_branch": of.default_branch,
        "clone_url": f"https://gitea.test/{of.full_name}.git",
        "object_format_name": "sha1",
        "parent": None,
        "permissions": {
            "admin": of.allows(viewer, "admin"),
            "push": of.allows(viewer, "write"),
            "pull": of.allows(viewer, "read"),
        },
        "created_at": time(MADE),
        "updated_at": time(MADE),
    }


def branch(name: str, sha: str) -> Object:
    commit = {"id": sha, "message": "", "timestamp": time(MADE), "added": None, "removed": None}
    return {"name": name, "commit": commit, "protected": False, "user_can_push": True}


def pull(of: Pull, within: Repository, viewer: User) -> Object:
    return {
        "id": of.id,
        "number": of.number,
        "user": user(of.user),
        "title": of.title,
        "body": of.body,
        "labels": [],
        "milestone": None,
        "assignee": user(of.assignees[0]) if of.assignees else None,
        "assignees": [user(one) for one in of.assignees] or None,
        "requested_reviewers": [user(one) for one in of.reviewers] or None,
        "state": of.state,
        "draft": is_draft(of.title),
        "is_locked": False,
        "comments": 0,
        "mergeable": of.mergeable is not False and not is_draft(of.title),
        "merged": of.merged,
        "merged_at": time(of.created_at) if of.merged else None,
        "merge_commit_sha": within.tip(of.base) if of.merged else None,
        "merged_by": user(of.user) if of.merged else None,
        "base": _side(within, of.base, viewer),
        "head": _side(within, of.head, viewer),
        "due_date": None,
        "created_at": time(of.created_at),
        "updated_at": time(of.created_at),
        "closed_at": None if of.state == "open" else time(of.created_at),
    }


def _side(within: Repository, ref: str, viewer: User) -> Object:
    return {
        "label": ref,
        "ref": ref,
        "sha": within.tip(ref) or NO_COMMIT,
        "repo_id": within.id,
        "repo": repository(within, viewer),
    }


def issue(of: Issue | Pull, updated: datetime | None = None) -> Object:
    made: Object = {
        "id": 10_000 + of.number,
        "number": of.number,
        "user": user(of.user),
        "original_author": "",
        "title": of.title,
        "body": of.body,
        "labels": [],
        "milestone": None,
        "assignees": [user(one) for one in of.assignees] or None,
        "state": "open",
        "comments": 0,
        "pull_request": None,
        "created_at": time(of.created_at),
        "updated_at": time(updated or of.created_at),
    }
    if isinstance(of, Pull):
        made |= {"state": of.state, "pull_request": {"merged": of.merged, "merged_at": None}}
    else:
        made |= {"labels": [{"id": 1, "name": name} for name in of.labels]}
    return made


def comment(of: Comment) -> Object:
    return {
        "id": of.id,
        "user": user(of.user),
        "original_author": "",
        "body": of.body,
        "assets": [],
        "created_at": time(of.created_at),
        "updated_at": time(of.created_at),
    }


def entry(of: Comment | IssueEvent | Review) -> Object:
    """Of a timeline."""
    at = (of.updated_at or of.submitted_at) if isinstance(of, Review) else of.created_at
    by = of.actor if isinstance(of, IssueEvent) else of.user
    made: Object = {
        "id": of.id,
        "user": user(by),
        "body": "" if isinstance(of, IssueEvent) else of.body,
        "label": None,
        "assignee": None,
        "removed_assignee": False,
        "review_id": of.id if isinstance(of, Review) else 0,
        "created_at": time(at),
        "updated_at": time(at),
    }
    if isinstance(of, Comment):
        return {**made, "type": "code" if of.path else "comment"}
    if isinstance(of, Review):
        return {**made, "type": "review"}
    if of.event in ("labeled", "unlabeled"):
        body = "1" if of.event == "labeled" else ""
        return {**made, "type": "label", "body": body, "label": {"id": 1, "name": of.given}}
    given = {**user(by), "login": of.given}
    removed = of.event == "unassigned"
    return {**made, "type": "assignees", "assignee": given, "removed_assignee": removed}


def whole_review(of: Review, comments: int) -> Object:
    return {
        "id": of.id,
        "user": user(of.user),
        "team": None,
        "state": REVIEWS[of.state],
        "body": of.body,
        "comments_count": comments,
        "dismissed": False,
        "submitted_at": time(of.submitted_at),
        "updated_at": time(of.updated_at or of.submitted_at),
    }


def review(of: Comment) -> Object:
    """Of a comment on a line alone."""
    return {
        "id": of.id + 1_000_000,
        "user": user(of.user),
        "team": None,
        "state": "COMMENT",
        "body": "",
        "comments_count": 1,
        "submitted_at": time(MADE),
    }


def review_comment(of: Comment, *, within_review: bool = False) -> Object:
    return {
        "id": of.id,
        "user": user(of.user),
        "resolver": None,
        "body": of.body,
        "pull_request_review_id": of.review_id if within_review else of.id + 1_000_000,
        "path": of.path,
        "position": of.line or 0,
        "original_position": 0,
        "diff_hunk": "@@ -1 +1 @@",
        "commit_id": NO_COMMIT,
        "created_at": time(of.created_at),
        "updated_at": time(of.created_at),
    }


def status(of: CheckRun) -> Object:
    return {
        "id": of.id,
        "status": STATES[of.conclusion] if of.conclusion else "pending",
        "context": of.name,
        "description": of.summary,
        "target_url": "https://gitea.test/actions",
        "creator": None,
        "created_at": time(MADE),
        "updated_at": time(MADE),
    }
