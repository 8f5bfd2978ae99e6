"""Payloads of webhooks: GitHub's own published examples, and Gitea's shapes."""

from __future__ import annotations

import json
import shutil
import subprocess
import tarfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from journeyman.api.happenings import READERS, read
from journeyman.domain.triggers import Happening, Kind

PACKAGE = "@octokit/webhooks-examples@7.6.1"
EDITIONS = ("api.github.com", "ghes-35")
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, Any]]]:
    """By edition and event, as `api.github.com issues`."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed; please run: sudo apt-get install npm")
    directory = tmp_path_factory.mktemp("webhooks")
    command = [*("npm", "pack", PACKAGE, "--silent", "--pack-destination"), str(directory)]
    subprocess.run(command, check=True, capture_output=True, timeout=300, cwd=directory)
    (archive,) = Path(directory).glob("*.tgz")
    found = dict[str, list[dict[str, Any]]]()
    with tarfile.open(archive) as packed:
        for edition in EDITIONS:
            member = packed.extractfile(f"package/{edition}/index.json")
            assert member is not None
            for event in json.load(member):
                found[f"{edition} {event['name']}"] = event["examples"]
    return found


def told(name: str, payload: dict[str, Any]) -> Happening | None:
    found = read(name, json.dumps(payload).encode(), NOW)
    return found[0] if found else None


@pytest.mark.npm
def test_every_published_example_is_read(examples: dict[str, list[dict[str, Any]]]) -> None:
    kinds = dict[str, list[str]]()
    for key, payloads in examples.items():
        name = key.partition(" ")[2]
        for payload in payloads:
            found = told(name, payload)
            if found is not None:
                assert (found.owner, found.repository_id > 0) == (
                    payload["repository"]["owner"]["login"],
                    True,
                )
                kinds.setdefault(f"{name} {payload.get('action', '')}".strip(), []).append(
                    found.kind
                )
    assert {key: set(found) for key, found in kinds.items()} == {
        "issues opened": {"issue"},
        "issues assigned": {"assigned"},
        "issues labeled": {"labeled"},
        "issue_comment created": {"comment"},
        "pull_request opened": {"issue"},
        "pull_request_review submitted": {"review"},
        "pull_request_review_comment created": {"review_comment"},
        "check_run completed": {"checks"},
        "push": {"conflict"},
    } | {key: {"checks"} for key in ("check_suite completed", "status") if key in kinds}


@pytest.mark.npm
def test_the_fields_of_githubs_examples(examples: dict[str, list[dict[str, Any]]]) -> None:
    def first(event: str, action: str) -> dict[str, Any]:
        known = examples[f"api.github.com {event}"]
        return next(one for one in known if one.get("action") == action)

    payload = first("issue_comment", "created")
    comment = told("issue_comment", payload)
    assert comment is not None
    assert (comment.id, comment.number) == (payload["comment"]["id"], payload["issue"]["number"])
    assert comment.by is not None
    assert comment.by.id == payload["comment"]["user"]["id"]
    assert comment.body == payload["comment"]["body"]

    payload = first("pull_request_review_comment", "created")
    line = told("pull_request_review_comment", payload)
    assert line is not None
    assert line.review_id == payload["comment"]["pull_request_review_id"]

    payload = first("pull_request_review", "submitted")
    review = told("pull_request_review", payload)
    assert review is not None
    assert (review.review_id, review.wants_changes) == (payload["review"]["id"], False)
    payload["review"]["state"] = "changes_requested"
    wanting = told("pull_request_review", payload)
    assert wanting is not None
    assert wanting.wants_changes

    payload = first("issues", "labeled")
    labeled = told("issues", payload)
    assert labeled is not None
    assert labeled.names == (payload["label"]["name"],)

    failed = [told("check_run", one) for one in examples["api.github.com check_run"]]
    assert {(one.ref, one.by) for one in failed if one} == {("changes", None)}


USER = {"id": 3, "login": "bob", "full_name": "", "username": "bob"}
REPOSITORY = {"id": 9, "name": "app", "full_name": "octo/app", "owner": USER | {"login": "octo"}}
AROUND = {"repository": REPOSITORY, "sender": USER}
ISSUE = {
    "id": 70,
    "number": 4,
    "body": "@helper go",
    "created_at": "2026-01-02T03:04:05Z",
    "updated_at": "2026-01-02T03:04:06+01:00",
    "labels": [{"id": 1, "name": "agent"}],
    "assignees": [USER],
    "pull_request": None,
}
COMMENT = {"id": 71, "user": USER, "body": "@helper go", "created_at": "2026-01-02T03:04:05Z"}


@pytest.mark.parametrize(
    ("name", "given", "kind", "expected"),
    [
        ("issues", {"action": "opened", "issue": ISSUE}, Kind.ISSUE, {"number": 4}),
        ("issues", {"action": "assigned", "issue": ISSUE}, Kind.ASSIGNED, {"names": ("bob",)}),
        (
            "issues",
            {"action": "label_updated", "issue": ISSUE},
            Kind.LABELED,
            {"names": ("agent",)},
        ),
        (
            "issue_comment",
            {"action": "created", "issue": ISSUE, "comment": COMMENT, "is_pull": True},
            Kind.COMMENT,
            {"id": 71, "number": 4},
        ),
        (
            "pull_request_rejected",
            {
                "action": "reviewed",
                "number": 4,
                "pull_request": ISSUE,
                "review": {"type": "pull_request_review_rejected", "content": "Rename it."},
            },
            Kind.REVIEW,
            {"wants_changes": True, "body": "Rename it.", "review_id": None},
        ),
        (
            "pull_request_comment",
            {
                "action": "reviewed",
                "pull_request": ISSUE,
                "review": {"type": "pull_request_review_comment", "content": "@helper go"},
            },
            Kind.REVIEW,
            {"wants_changes": False, "body": "@helper go"},
        ),
        (
            "push",
            {"ref": "refs/heads/main", "before": "0" * 40, "after": "a" * 40},
            Kind.CONFLICT,
            {"ref": "main", "by": None},
        ),
    ],
)
def test_giteas_shapes(
    name: str, given: dict[str, Any], kind: Kind, expected: dict[str, Any]
) -> None:
    found = told(name, AROUND | given)
    assert found is not None
    assert found.kind is kind
    assert {key: getattr(found, key) for key in expected} == expected


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("issues", {"action": "closed", "issue": ISSUE}),
        ("issues", {"action": "opened"}),
        ("issue_comment", {"action": "edited", "issue": ISSUE, "comment": COMMENT}),
        ("issue_comment", {"action": "created", "issue": ISSUE}),
        ("pull_request", {"action": "synchronize", "pull_request": ISSUE}),
        ("pull_request_review", {"action": "submitted", "pull_request": ISSUE}),
        ("push", {"ref": "refs/tags/v1", "after": "a" * 40}),
        ("push", {"ref": "refs/heads/gone", "after": "0" * 40, "deleted": True}),
        ("check_suite", {"action": "completed"}),
        ("status", {"sha": "a" * 40, "state": "failure", "branches": []}),
        ("star", {"action": "created"}),
    ],
)
def test_what_is_none_of_ours_is_nothing(name: str, given: dict[str, Any]) -> None:
    assert told(name, AROUND | given) is None


@pytest.mark.parametrize("name", sorted(READERS))
def test_what_is_no_payload_is_an_error(name: str) -> None:
    for payload in ({}, {"repository": 1}, AROUND | {"issue": {"number": "4"}}):
        with pytest.raises(msgspec.ValidationError):
            read(name, json.dumps(payload).encode(), NOW)
