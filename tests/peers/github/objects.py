"""What is on the local GitHub as its API writes it: the fields that are read, and the least that
the description wants beside them."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import msgspec

from tests.peers.github.description import Description
from tests.peers.github.state import (
    LEVELS,
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


class Objects:
    """*api*: where the API is, without a slash at the end."""

    def __init__(self, description: Description, api: str) -> None:
        self._filled = description.filled
        self._api = api

    def user(self, user: User, kind: str = "simple-user") -> dict[str, Any]:
        given: dict[str, Any] = {
            "id": user.id,
            "login": user.login,
            "type": user.type,
            "node_id": f"U_{user.id}",
            "url": f"{self._api}/users/{user.login}",
        }
        if kind == "public-user":
            given |= {"created_at": time(MADE), "user_view_type": "public"}
        return self._filled(kind, given)

    def repository(
        self, repository: Repository, viewer: User | None, kind: str = "full-repository"
    ) -> dict[str, Any]:
        has = LEVELS.index(repository.role(viewer))
        needs = {"pull": "read", "triage": "triage", "push": "write"}
        needs |= {"maintain": "maintain", "admin": "admin"}
        given: dict[str, Any] = {
            "id": repository.id,
            "name": repository.name,
            "full_name": repository.full_name,
            "owner": self.user(repository.owner),
            "private": repository.private,
            "archived": repository.archived,
            "default_branch": repository.default_branch,
            "created_at": time(MADE),
            "updated_at": time(MADE),
            "pushed_at": time(MADE),
            "permissions": {name: has >= LEVELS.index(level) for name, level in needs.items()},
        }
        return self._filled(kind, given)

    def pull(
        self, repository: Repository, pull: Pull, kind: str = "pull-request"
    ) -> dict[str, Any]:
        given: dict[str, Any] = {
            "id": pull.id,
            "node_id": f"PR_{pull.id}",
            "number": pull.number,
            "state": pull.state,
            "title": pull.title,
            "body": pull.body or None,
            "user": self.user(pull.user),
            "draft": pull.draft,
            "head": self._side(repository, pull.head),
            "base": self._side(repository, pull.base),
            "created_at": time(pull.created_at),
            "updated_at": time(pull.created_at),
            "closed_at": None if pull.state == "open" else time(pull.created_at),
            "merged_at": time(pull.created_at) if pull.merged else None,
            "author_association": "OWNER",
        }
        if kind == "pull-request":
            given["mergeable"] = pull.mergeable
        if pull.from_fork:
            given["head"]["repo"]["id"] = repository.id + 1
        if pull.fork:
            given["head"] |= {"repo": {**given["head"]["repo"], "id": 1}}
        return self._filled(kind, given)

    def _side(self, repository: Repository, ref: str) -> dict[str, Any]:
        return {
            "label": f"{repository.owner.login}:{ref}",
            "ref": ref,
            "sha": repository.tip(ref) or NO_COMMIT,
            "user": self.user(repository.owner),
            "repo": self.repository(repository, repository.owner, "repository"),
        }

    def issue(self, repository: Repository, of: Issue | Pull) -> dict[str, Any]:
        given: dict[str, Any] = {
            "number": of.number,
            "title": of.title,
            "body": of.body or None,
            "user": self.user(of.user),
            "state": "open",
            "created_at": time(of.created_at),
            "updated_at": time(of.created_at),
            "labels": [],
            "author_association": "OWNER",
            "assignees": [self.user(one) for one in of.assignees],
        }
        if isinstance(of, Issue):
            given["labels"] = [{"name": name, "color": "ededed"} for name in of.labels]
            given["author_association"] = of.association
        else:
            links = dict.fromkeys(("url", "html_url", "diff_url", "patch_url"), "https://x.test/")
            given |= {"pull_request": links, "state": of.state}
        return self._filled("issue", given)

    def comment(self, comment: Comment) -> dict[str, Any]:
        url = f"{self._api}/issues/{comment.number}"
        return self._filled("issue-comment", self._said(comment) | {"issue_url": url})

    def review_comment(self, comment: Comment) -> dict[str, Any]:
        where = {"path": comment.path, "line": comment.line, "diff_hunk": "@@ -1 +1 @@"}
        more = {"pull_request_review_id": comment.review_id, "commit_id": NO_COMMIT}
        more["pull_request_url"] = f"{self._api}/pulls/{comment.number}"
        return self._filled("pull-request-review-comment", self._said(comment) | where | more)

    def _said(self, comment: Comment) -> dict[str, Any]:
        return {
            "id": comment.id,
            "user": self.user(comment.user),
            "body": comment.body,
            "author_association": comment.association,
            "created_at": time(comment.created_at),
            "updated_at": time(comment.edited_at or comment.created_at),
        }

    def review(self, review: Review) -> dict[str, Any]:
        given = {
            "id": review.id,
            "user": self.user(review.user),
            "body": review.body,
            "state": review.state,
            "submitted_at": time(review.submitted_at),
            "author_association": "MEMBER",
        }
        return self._filled("pull-request-review", given)

    def issue_event(self, repository: Repository, of: IssueEvent) -> dict[str, Any]:
        given: dict[str, Any] = {
            "id": of.id,
            "event": of.event,
            "actor": self.user(of.actor),
            "created_at": time(of.created_at),
            "issue": self.issue(repository, of.issue),
        }
        if of.event == "assigned":
            user = {"id": 1, "login": of.given, "type": "User"}
            given["assignee"] = self._filled("simple-user", user)
            given["assigner"] = self.user(of.actor)
        else:
            given["label"] = {"name": of.given, "color": "ededed"}
        return self._filled("issue-event", given)

    def reaction(self, id: int, user: User, content: str) -> dict[str, Any]:
        given = {"id": id, "user": self.user(user), "content": content, "created_at": time(MADE)}
        return self._filled("reaction", given)

    def check_run(self, run: CheckRun) -> dict[str, Any]:
        output = {"title": run.name, "summary": run.summary, "text": None}
        output |= {"annotations_count": 0, "annotations_url": "https://x.test/"}  # type: ignore[dict-item]
        given = {
            "id": run.id,
            "name": run.name,
            "head_sha": run.sha,
            "status": "completed" if run.conclusion else "in_progress",
            "conclusion": run.conclusion,
            "output": output,
            "details_url": "https://ci.test/1",
        }
        return self._filled("check-run", given)

    def permission(self, repository: Repository, user: User) -> dict[str, Any]:
        role = repository.role(user)
        told = {"maintain": "write", "triage": "read"}.get(role, role)
        given = {"permission": told, "role_name": role, "user": None}
        return self._filled("repository-collaborator-permission", given)

    def blob(self, sha: str, content: bytes) -> dict[str, Any]:
        text = base64.encodebytes(content).decode()
        given = {"content": text, "encoding": "base64", "sha": sha, "size": len(content)}
        return self._filled("blob", given)


def time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def as_json(value: Any) -> bytes:
    return msgspec.json.encode(value)
