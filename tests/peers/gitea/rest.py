"""The operations of the local Gitea's API."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from tests.integration.forge.client import git
from tests.peers.gitea import objects
from tests.peers.github.state import (
    MADE,
    Comment,
    Issue,
    IssueEvent,
    Pull,
    Repository,
    Review,
    State,
    User,
)

MOST = 3
"""Entries of a page, whatever is asked for: a server may be set so, and tests see pages."""
REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


class Problem(Exception):
    """An error as Gitea tells it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


NO_TARGET = "The target couldn't be found."


@dataclass(frozen=True)
class Asked:
    state: State
    user: User
    method: str
    path: str
    query: str
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body or b"{}")
        return found

    def parameter(self, name: str, default: str = "") -> str:
        return parse_qs(self.query).get(name, [default])[0]


@dataclass(frozen=True)
class Answer:
    status: int
    content: Any
    total: int | None = None
    """Of a list: X-Total-Count."""


def answer(asked: Asked) -> Answer:
    if asked.user.suspended:
        raise Problem(403, "Sign-in is prohibited for this user")
    if asked.path == "/user":
        return Answer(200, {**objects.user(asked.user), "active": True})
    if asked.path == "/user/repos":
        user = asked.user
        reached = [r for r in asked.state.repositories if r.owner is user or user.id in r.roles]
        return _page(asked, [objects.repository(one, user) for one in reached])
    match = re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", asked.path)
    repository = asked.state.find(match[1]) if match else None
    if match is None or repository is None or not repository.allows(asked.user, "read"):
        raise Problem(404, NO_TARGET)
    for method, pattern, operation in OPERATIONS:
        found = re.fullmatch(pattern, match[2] or "")
        if found and method == asked.method:
            return operation(asked, repository, *found.groups())
    raise Problem(404, NO_TARGET)


def _repository(asked: Asked, repository: Repository) -> Answer:
    return Answer(200, objects.repository(repository, asked.user))


def _branch(_asked: Asked, repository: Repository, name: str) -> Answer:
    tip = repository.tip(name)
    if tip is None:
        raise Problem(404, NO_TARGET)
    return Answer(200, objects.branch(name, tip))


def _pulls(asked: Asked, repository: Repository) -> Answer:
    state = asked.parameter("state", "open")
    found = [one for one in repository.pulls if state in ("all", one.state)]
    return _page(asked, [objects.pull(one, repository, asked.user) for one in reversed(found)])


def _page(asked: Asked, found: list[Any]) -> Answer:
    page = int(asked.parameter("page", "1"))
    size = min(MOST, int(asked.parameter("limit", "30")))
    return Answer(200, found[(page - 1) * size : page * size], len(found))


def _pull_between(asked: Asked, repository: Repository, base: str, head: str) -> Answer:
    """The first of any state, as it happens to be in the database."""
    for one in repository.pulls:
        if (one.base, one.head) == (base, head):
            return Answer(200, objects.pull(one, repository, asked.user))
    raise Problem(404, NO_TARGET)


def _open_pull(asked: Asked, repository: Repository) -> Answer:
    fields = asked.fields
    head, base = fields["head"], fields["base"]
    if repository.archived:
        raise Problem(423, f"Repo is archived: {repository.full_name}")
    if head == base:
        raise Problem(
            422, "Invalid PullRequest: There are no changes between the head and the base"
        )
    if repository.tip(head) is None or repository.tip(base) is None:
        raise Problem(404, NO_TARGET)
    for one in repository.pulls:
        if (one.base, one.head, one.state) == (base, head, "open"):
            raise Problem(409, f"pull request already exists for these targets [id: {one.id}]")
    made = Pull(
        id=asked.state.new_id(),
        number=repository.next_number(),
        user=asked.user,
        title=fields["title"],
        body=fields.get("body", ""),
        head=head,
        base=base,
        draft=False,
        assignees=[_assignee(asked, repository, login) for login in fields.get("assignees", ())],
    )
    repository.pulls.append(made)
    return Answer(201, objects.pull(made, repository, asked.user))


def _assignee(asked: Asked, repository: Repository, login: str) -> User:
    found = next((one for one in asked.state.users if one.login == login), None)
    if found is None or not repository.allows(found, "write"):
        raise Problem(422, f"Assignee does not exist: [name: {login}]")
    return found


def _numbered(repository: Repository, number: str) -> Pull:
    for one in repository.pulls:
        if one.number == int(number):
            return one
    raise Problem(404, NO_TARGET)


def _pull(asked: Asked, repository: Repository, number: str) -> Answer:
    return Answer(200, objects.pull(_numbered(repository, number), repository, asked.user))


def _edit_pull(asked: Asked, repository: Repository, number: str) -> Answer:
    found = _numbered(repository, number)
    if not (repository.allows(asked.user, "write") or asked.user.id == found.user.id):
        raise Problem(403, "user should have permission to edit this")
    for name in ("title", "body", "state"):
        if name in asked.fields:
            setattr(found, name, asked.fields[name])
    return Answer(201, objects.pull(found, repository, asked.user))


def _ask_for_review(asked: Asked, repository: Repository, number: str) -> Answer:
    found = _numbered(repository, number)
    for login in asked.fields["reviewers"]:
        if login == found.user.login:
            raise Problem(422, "poster of pr can't be reviewer [user_id: 1, repo_id: 1]")
        found.reviewers.append(asked.state.user(login))
    return Answer(201, [])


def _reviews(asked: Asked, repository: Repository, number: str) -> Answer:
    _numbered(repository, number)
    whole = [one for one in repository.reviews if one.number == int(number)]
    known = {one.id for one in whole}
    on_it = [one for one in repository.review_comments if one.number == int(number)]
    found = [objects.whole_review(one, len(_lines(repository, one.id))) for one in whole]
    found += [objects.review(one) for one in on_it if one.review_id not in known]
    return _page(asked, found)


def _review(_asked: Asked, repository: Repository, number: str, id: str) -> Answer:
    for one in repository.reviews:
        if (one.number, one.id) == (int(number), int(id)):
            return Answer(200, objects.whole_review(one, len(_lines(repository, one.id))))
    raise Problem(404, NO_TARGET)


def _lines(repository: Repository, review_id: int) -> list[Comment]:
    return [one for one in repository.review_comments if one.review_id == review_id]


def _of_review(_asked: Asked, repository: Repository, _number: str, id: str) -> Answer:
    if any(one.id == int(id) for one in repository.reviews):
        lines = _lines(repository, int(id))
        return Answer(200, [objects.review_comment(one, within_review=True) for one in lines])
    wanted = int(id) - 1_000_000
    found = [one for one in repository.review_comments if one.id == wanted]
    return Answer(200, [objects.review_comment(one) for one in found])


def _issues(asked: Asked, repository: Repository) -> Answer:
    """Pull requests, too; by when they have changed."""
    state, since = asked.parameter("state", "open"), _since(asked)
    both: list[Issue | Pull] = [*repository.issues, *repository.pulls]
    found = []
    for one in both:
        changed = max([one.created_at, *(at for at, _ in _happened(repository, one.number))])
        made = objects.issue(one, changed)
        if state in ("all", made["state"]) and changed >= since:
            found.append(made)
    return _page(asked, found)


def _timeline(asked: Asked, repository: Repository, number: str) -> Answer:
    _issue_of(repository, number)
    found = [entry for at, entry in _happened(repository, int(number)) if at >= _since(asked)]
    page = [one for one in _page(asked, found).content if one["type"] != "code"]
    # So Gitea counts here, and writes none; comments on lines leave their page emptier.
    return Answer(200, page or None, len(page))


def _happened(repository: Repository, number: int) -> list[tuple[datetime, objects.Object]]:
    made: list[tuple[datetime, Comment | IssueEvent | Review]] = [
        *((one.created_at, one) for one in repository.review_comments if one.number == number),
        *((one.created_at, one) for one in repository.comments if one.number == number),
        *((one.created_at, one) for one in repository.events if one.issue.number == number),
        *((one.submitted_at, one) for one in repository.reviews if one.number == number),
    ]
    return [(at, objects.entry(one)) for at, one in made]


def _since(asked: Asked) -> datetime:
    return datetime.fromisoformat(asked.parameter("since", "1970-01-01T00:00:00Z"))


def _issue_of(repository: Repository, number: str) -> Issue | Pull:
    both: list[Issue | Pull] = [*repository.issues, *repository.pulls]
    for one in both:
        if one.number == int(number):
            return one
    raise Problem(404, NO_TARGET)


def _issue(_asked: Asked, repository: Repository, number: str) -> Answer:
    return Answer(200, objects.issue(_issue_of(repository, number)))


def _comments(asked: Asked, repository: Repository, number: str) -> Answer:
    _issue_of(repository, number)
    of_it = (one for one in repository.comments if one.number == int(number))
    found = [one for one in of_it if one.created_at >= _since(asked)]
    return Answer(200, [objects.comment(one) for one in found], len(found))


def _comment(asked: Asked, repository: Repository, number: str) -> Answer:
    _issue_of(repository, number)
    made = Comment(asked.state.new_id(), int(number), asked.user, asked.fields["body"])
    repository.comments.append(made)
    return Answer(201, objects.comment(made))


def _react_to_issue(asked: Asked, repository: Repository, number: str) -> Answer:
    _issue_of(repository, number)
    return _react(asked, repository, "issue", int(number))


def _react_to_comment(asked: Asked, repository: Repository, id: str) -> Answer:
    for one in repository.comments:
        if one.id == int(id):
            return _react(asked, repository, "comment", int(id))
    for one in repository.review_comments:
        if one.id == int(id):
            return _react(asked, repository, "review_comment", int(id))
    raise Problem(404, NO_TARGET)


def _react(asked: Asked, repository: Repository, place: str, id: int) -> Answer:
    content = asked.fields["content"]
    if content not in REACTIONS:
        raise Problem(403, f"'{content}' is not an allowed reaction")
    known = (place, id, content) in repository.reactions
    if not known:
        repository.reactions.append((place, id, content))
    made = {"user": objects.user(asked.user), "content": content}
    return Answer(200 if known else 201, {**made, "created_at": objects.time(MADE)})


def _permission(asked: Asked, repository: Repository, login: str) -> Answer:
    if not repository.allows(asked.user, "admin") and login != asked.user.login:
        raise Problem(403, "Only admins can query all permissions, repo admins can query all")
    found = next((one for one in asked.state.users if one.login == login), None)
    if found is None:
        raise Problem(404, "user does not exist")
    role = "owner" if found.id == repository.owner.id else repository.role(found)
    return Answer(200, {"permission": role, "role_name": role, "user": objects.user(found)})


def _status(_asked: Asked, repository: Repository, sha: str) -> Answer:
    found = [objects.status(one) for one in repository.check_runs if one.sha == sha]
    state = "pending" if found else ""
    combined = {"state": state, "sha": sha, "total_count": len(found), "statuses": found or None}
    return Answer(200, combined, len(found))


def _contents(asked: Asked, repository: Repository, directory: str) -> Answer:
    ref = asked.parameter("ref", repository.default_branch)
    if repository.tip(ref) is None:
        raise Problem(404, NO_TARGET)
    listed = git(repository.bare, "ls-tree", "-l", ref, f"{directory}/").splitlines()
    if not listed:
        raise Problem(404, NO_TARGET)
    found = []
    for line in listed:
        (_mode, kind, sha, size), _, path = line.partition("\t")[0].split(), "", line.split("\t")[1]
        name = path.rpartition("/")[2]
        of = {"name": name, "path": path, "sha": sha, "type": {"blob": "file"}.get(kind, "dir")}
        found.append({**of, "size": int(size) if size != "-" else 0, "content": None})
    return Answer(200, found)


def _blob(_asked: Asked, repository: Repository, sha: str) -> Answer:
    content = git(repository.bare, "cat-file", "blob", sha).encode() + b"\n"  # `git` strips it
    made = {"sha": sha, "size": len(content), "encoding": "base64"}
    return Answer(200, {**made, "content": base64.b64encode(content).decode()})


OPERATIONS: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
    ("GET", "", _repository),
    ("GET", r"/branches/(.+)", _branch),
    ("GET", "/pulls", _pulls),
    ("POST", "/pulls", _open_pull),
    ("GET", r"/pulls/(\d+)", _pull),
    ("PATCH", r"/pulls/(\d+)", _edit_pull),
    ("POST", r"/pulls/(\d+)/requested_reviewers", _ask_for_review),
    ("GET", r"/pulls/(\d+)/reviews", _reviews),
    ("GET", r"/pulls/(\d+)/reviews/(\d+)", _review),
    ("GET", r"/pulls/(\d+)/reviews/(\d+)/comments", _of_review),
    ("GET", r"/pulls/([^/]+)/(.+)", _pull_between),
    ("GET", "/issues", _issues),
    ("GET", r"/issues/(\d+)", _issue),
    ("GET", r"/issues/(\d+)/timeline", _timeline),
    ("GET", r"/issues/(\d+)/comments", _comments),
    ("POST", r"/issues/(\d+)/comments", _comment),
    ("POST", r"/issues/(\d+)/reactions", _react_to_issue),
    ("POST", r"/issues/comments/(\d+)/reactions", _react_to_comment),
    ("GET", r"/collaborators/([^/]+)/permission", _permission),
    ("GET", r"/commits/([^/]+)/status", _status),
    ("GET", r"/contents/(.+)", _contents),
    ("GET", r"/git/blobs/(\w+)", _blob),
)
