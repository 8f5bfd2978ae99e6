"""What the local GitHub tells of its events, in the form of its webhooks: the objects of its API,
signed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.peers.github.objects import Objects, as_json
from tests.peers.github.state import Comment, Issue, Pull, Repository, Review, User, now


@dataclass(frozen=True)
class Hooks:
    objects: Objects
    repository: Repository
    secret: str

    def issue(self, action: str, issue: Issue, by: User, **more: Any) -> tuple[str, bytes]:
        given = {"issue": self.objects.issue(self.repository, issue), **more}
        return "issues", self._payload(action, by, given)

    def assigned(self, issue: Issue, to: User, by: User) -> tuple[str, bytes]:
        return self.issue("assigned", issue, by, assignee=self.objects.user(to))

    def labeled(self, issue: Issue, label: str, by: User) -> tuple[str, bytes]:
        return self.issue("labeled", issue, by, label={"id": 1, "name": label})

    def comment(self, on: Issue | Pull, comment: Comment) -> tuple[str, bytes]:
        given = {
            "issue": self.objects.issue(self.repository, on),
            "comment": self.objects.comment(comment),
        }
        return "issue_comment", self._payload("created", comment.user, given)

    def review_comment(self, on: Pull, comment: Comment) -> tuple[str, bytes]:
        given = {"pull_request": self._pull(on), "comment": self.objects.review_comment(comment)}
        return "pull_request_review_comment", self._payload("created", comment.user, given)

    def review(self, on: Pull, review: Review) -> tuple[str, bytes]:
        told = self.objects.review(review)
        told["state"] = review.state.lower()
        given = {"pull_request": self._pull(on), "review": told}
        return "pull_request_review", self._payload("submitted", review.user, given)

    def failed(self, branch: str, sha: str, by: User) -> tuple[str, bytes]:
        suite = {"head_sha": sha, "head_branch": branch, "conclusion": "failure"}
        return "check_suite", self._payload("completed", by, {"check_suite": suite})

    def pushed(self, branch: str, sha: str, by: User) -> tuple[str, bytes]:
        given = {"ref": f"refs/heads/{branch}", "after": sha, "deleted": False}
        return "push", self._payload("", by, given)

    def headers(self, event: str, body: bytes) -> dict[str, str]:
        digest = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        return {
            "content-type": "application/json",
            "x-github-event": event,
            "x-github-delivery": str(now()),
            "x-hub-signature-256": f"sha256={digest}",
        }

    def _pull(self, pull: Pull) -> dict[str, Any]:
        return self.objects.pull(self.repository, pull)

    def _payload(self, action: str, by: User, given: Mapping[str, Any]) -> bytes:
        told = {
            "repository": self.objects.repository(self.repository, by),
            "sender": self.objects.user(by),
            **given,
        }
        return as_json(told | ({"action": action} if action else {}))
