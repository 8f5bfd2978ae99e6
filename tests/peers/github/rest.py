"""The operations of the local GitHub's REST API."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar
from urllib.parse import parse_qs

from tests.integration.forge.client import git
from tests.peers.github.objects import Objects
from tests.peers.github.state import Comment, Issue, Pull, Repository, State, Token

T = TypeVar("T")


class Problem(Exception):
    """An answer of GitHub's errors."""

    def __init__(self, status: int, message: str, *errors: dict[str, str]) -> None:
        super().__init__(message)
        self.status = status
        self.errors = errors

    def body(self) -> dict[str, Any]:
        told = {"message": str(self), "documentation_url": "https://docs.github.com/rest"}
        return {**told, "errors": list(self.errors)} if self.errors else told


@dataclass(frozen=True)
class Asked:
    state: State
    objects: Objects
    token: Token
    method: str
    path: str
    query: str
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body or b"{}")
        return found

    def parameter(self, name: str) -> str:
        return parse_qs(self.query).get(name, [""])[0]


Answer = tuple[int, Any]


def answer(asked: Asked) -> Answer:
    if asked.token.user.suspended:
        raise Problem(403, "Sorry. Your account was suspended.")
    if asked.path == "/user":
        return 200, asked.objects.user(asked.token.user, "public-user")
    if asked.path == "/user/repos":
        return 200, _own(asked)
    match = re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", asked.path)
    repository = asked.state.find(match[1]) if match else None
    if match is None or repository is None or not repository.allows(asked.token.user, "read"):
        raise Problem(404, "Not Found")
    if repository.archived and asked.method != "GET":
        raise Problem(403, "Repository was archived so is read-only.")
    for method, pattern, operation in OPERATIONS:
        found = re.fullmatch(pattern, match[2] or "")
        if method == asked.method and found:
            return operation(asked, repository, *found.groups())
    raise Problem(404, "Not Found")


def _own(asked: Asked) -> list[dict[str, Any]]:
    """Those that the user owns or was given a role in, a page of them."""
    user, size = asked.token.user, int(asked.parameter("per_page") or 30)
    first = (int(asked.parameter("page") or 1) - 1) * size
    found = [r for r in asked.state.repositories if r.owner.id == user.id or user.id in r.roles]
    return [asked.objects.repository(r, user, "repository") for r in found[first : first + size]]


def _repository(asked: Asked, repository: Repository) -> Answer:
    return 200, asked.objects.repository(repository, asked.token.user)


def _ref(asked: Asked, repository: Repository, branch: str) -> Answer:
    if not git(repository.bare, "for-each-ref").strip():
        raise Problem(409, "Git Repository is empty.")
    sha = repository.tip(branch)
    if sha is None:
        raise Problem(404, "Not Found")
    url = "https://x.test/"
    target = {"sha": sha, "type": "commit", "url": url}
    return 200, {"ref": f"refs/heads/{branch}", "node_id": "x", "url": url, "object": target}


def _pulls(asked: Asked, repository: Repository) -> Answer:
    owner, _, head = asked.parameter("head").partition(":")
    found = [
        pull
        for pull in repository.pulls
        if pull.state == (asked.parameter("state") or "open")
        and asked.parameter("base") in ("", pull.base)
        and head in ("", pull.head)
        and owner in ("", repository.owner.login)
    ]
    simple = "pull-request-simple"
    return 200, [asked.objects.pull(repository, one, simple) for one in reversed(found)]


def _open_pull(asked: Asked, repository: Repository) -> Answer:
    _needs(asked, repository, "read")
    new = asked.fields
    for name in ("head", "base"):
        if repository.tip(new[name]) is None:
            fault = {"resource": "PullRequest", "field": name, "code": "invalid"}
            raise Problem(422, "Validation Failed", fault)
    if new.get("draft") and not repository.drafts:
        raise Problem(422, "Draft pull requests are not supported in this repository.")
    between = (new["head"], new["base"], "open", "")
    if any((p.head, p.base, p.state, p.fork) == between for p in repository.pulls):
        told = f"A pull request already exists for {repository.owner.login}:{new['head']}."
        fault = {"resource": "PullRequest", "code": "custom", "message": told}
        raise Problem(422, "Validation Failed", fault)
    pull = Pull(
        asked.state.new_id(),
        repository.next_number(),
        asked.token.user,
        new["title"],
        new.get("body") or "",
        new["head"],
        new["base"],
        bool(new.get("draft")),
    )
    repository.pulls.append(pull)
    return 201, asked.objects.pull(repository, pull)


def _pull(asked: Asked, repository: Repository, number: str) -> Answer:
    return 200, asked.objects.pull(repository, _numbered(repository, number))


def _change_pull(asked: Asked, repository: Repository, number: str) -> Answer:
    _needs(asked, repository, "write")
    pull = _numbered(repository, number)
    for name in ("title", "body", "state"):
        if name in asked.fields:
            setattr(pull, name, asked.fields[name])
    return 200, asked.objects.pull(repository, pull)


def _request_reviews(asked: Asked, repository: Repository, number: str) -> Answer:
    pull = _numbered(repository, number)
    for login in asked.fields["reviewers"]:
        user = asked.state.user(login)
        if user.id == pull.user.id:
            raise Problem(422, "Review cannot be requested from pull request author.")
        pull.reviewers.append(user)
    return 201, asked.objects.pull(repository, pull, "pull-request-simple")


def _issue(asked: Asked, repository: Repository, number: str) -> Answer:
    return 200, asked.objects.issue(repository, _either(repository, number))


def _assign(asked: Asked, repository: Repository, number: str) -> Answer:
    found = _either(repository, number)
    users = [asked.state.user(login) for login in asked.fields["assignees"]]
    found.assignees += [one for one in users if repository.allows(one, "write")]
    return 201, asked.objects.issue(repository, found)


def _comments(asked: Asked, repository: Repository, number: str) -> Answer:
    _either(repository, number)
    found = [one for one in repository.comments if one.number == int(number)]
    return 200, [asked.objects.comment(one) for one in _page(asked, found)]


def _comment(asked: Asked, repository: Repository, number: str) -> Answer:
    _either(repository, number)
    said = asked.fields["body"]
    made = Comment(asked.state.new_id(), int(number), asked.token.user, said)
    repository.comments.append(made)
    return 201, asked.objects.comment(made)


def _review_comments(asked: Asked, repository: Repository, number: str) -> Answer:
    _numbered(repository, number)
    found = [one for one in repository.review_comments if one.number == int(number)]
    return 200, [asked.objects.review_comment(one) for one in _page(asked, found)]


def _issues(asked: Asked, repository: Repository) -> Answer:
    found: list[Issue | Pull] = [*repository.issues, *repository.pulls]
    shown = [one for one in found if one.created_at >= _since(asked)]
    return 200, [asked.objects.issue(repository, one) for one in shown]


def _all_comments(asked: Asked, repository: Repository) -> Answer:
    def changed_at(one: Comment) -> datetime:
        return one.edited_at or one.created_at

    found = [one for one in repository.comments if changed_at(one) >= _since(asked)]
    page = _page(asked, sorted(found, key=changed_at))
    return 200, [asked.objects.comment(one) for one in page]


def _all_review_comments(asked: Asked, repository: Repository) -> Answer:
    found = [one for one in repository.review_comments if one.created_at >= _since(asked)]
    return 200, [asked.objects.review_comment(one) for one in found]


def _events(asked: Asked, repository: Repository) -> Answer:
    found = [asked.objects.issue_event(repository, one) for one in repository.events[::-1]]
    return 200, _page(asked, found)


def _reviews(asked: Asked, repository: Repository, number: str) -> Answer:
    _numbered(repository, number)
    found = [one for one in repository.reviews if one.number == int(number)]
    return 200, [asked.objects.review(one) for one in found]


def _since(asked: Asked) -> datetime:
    return datetime.fromisoformat(asked.parameter("since"))


def _react(asked: Asked, repository: Repository, place: str, id: str) -> Answer:
    entry = (place, int(id), asked.fields["content"])
    status = 200 if entry in repository.reactions else 201
    if status == 201:
        repository.reactions.append(entry)
    return status, asked.objects.reaction(1, asked.token.user, entry[2])


def _permission(asked: Asked, repository: Repository, login: str) -> Answer:
    _needs(asked, repository, "write")
    users = [one for one in asked.state.users if one.login.lower() == login.lower()]
    if not users:
        raise Problem(404, "Not Found")
    return 200, asked.objects.permission(repository, users[0])


def _check_runs(asked: Asked, repository: Repository, sha: str) -> Answer:
    found = [asked.objects.check_run(one) for one in repository.check_runs if one.sha == sha]
    return 200, {"total_count": len(found), "check_runs": found}


def _contents(asked: Asked, repository: Repository, path: str) -> Answer:
    ref = asked.parameter("ref") or repository.default_branch
    listed = git(repository.bare, "ls-tree", "-l", "-z", ref, f"{path}/")
    entries = []
    for line in filter(None, listed.split("\0")):
        head, _, name = line.partition("\t")
        mode, kind, sha, size = head.split()
        kinds = {"120000": "symlink", "160000": "submodule", "040000": "dir"}
        url = "https://x.test/"
        entries.append(
            {
                **dict.fromkeys(("url", "html_url", "git_url", "download_url"), url),
                "_links": {"self": url, "git": url, "html": url},
                "name": name.rpartition("/")[2],
                "path": name,
                "sha": sha,
                "size": 0 if size == "-" else int(size),
                "type": kinds.get(mode, "file"),
            }
        )
        assert kind
    if not entries:
        raise Problem(404, "Not Found")
    return 200, entries


def _blob(asked: Asked, repository: Repository, sha: str) -> Answer:
    command = ["git", "cat-file", "blob", sha]
    shown = subprocess.run(command, cwd=repository.bare, capture_output=True, check=True)
    return 200, asked.objects.blob(sha, shown.stdout)


def _needs(asked: Asked, repository: Repository, level: str) -> None:
    if not repository.allows(asked.token.user, level):
        raise Problem(403, "Resource not accessible by personal access token")


def _numbered(repository: Repository, number: str) -> Pull:
    for one in repository.pulls:
        if one.number == int(number):
            return one
    raise Problem(404, "Not Found")


def _either(repository: Repository, number: str) -> Issue | Pull:
    for one in repository.issues:
        if one.number == int(number):
            return one
    return _numbered(repository, number)


def _page(asked: Asked, found: list[T]) -> list[T]:
    size, page = int(asked.parameter("per_page") or 30), int(asked.parameter("page") or 1)
    return found[(page - 1) * size : page * size]


OPERATIONS: list[tuple[str, str, Callable[..., Answer]]] = [
    ("GET", "", _repository),
    ("GET", r"/git/ref/heads/(.+)", _ref),
    ("GET", r"/git/blobs/(\w+)", _blob),
    ("GET", r"/contents/(.+)", _contents),
    ("GET", "/pulls", _pulls),
    ("POST", "/pulls", _open_pull),
    ("GET", r"/pulls/(\d+)", _pull),
    ("PATCH", r"/pulls/(\d+)", _change_pull),
    ("GET", r"/pulls/(\d+)/comments", _review_comments),
    ("POST", r"/pulls/(\d+)/requested_reviewers", _request_reviews),
    ("GET", r"/pulls/(\d+)/reviews", _reviews),
    ("GET", "/pulls/comments", _all_review_comments),
    ("GET", "/issues", _issues),
    ("GET", "/issues/comments", _all_comments),
    ("GET", "/issues/events", _events),
    ("GET", r"/issues/(\d+)", _issue),
    ("POST", r"/issues/(\d+)/assignees", _assign),
    ("GET", r"/issues/(\d+)/comments", _comments),
    ("POST", r"/issues/(\d+)/comments", _comment),
    ("POST", r"/(issues|issues/comments|pulls/comments)/(\d+)/reactions", _react),
    ("GET", r"/collaborators/([^/]+)/permission", _permission),
    ("GET", r"/commits/([^/]+)/check-runs", _check_runs),
]
