"""What asks for work, and what only looks like it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from journeyman.domain.repositories import Account, AccountType
from journeyman.domain.triggers import Happening, Kind, Rules, mentions, thread_of

AT = datetime(2026, 1, 2, tzinfo=UTC)
BOB = Account(7, "bob", AccountType.USER, False, AT)
SAID = Happening(Kind.COMMENT, 1, "Octo", "App", AT, BOB, number=3, id=5, body="@helper go")
RULES = Rules("helper", label="Agent", repairs=1)


@pytest.mark.parametrize(
    "text",
    [
        "@helper fix this",
        "please, @Helper: fix this",
        "(@helper)",
        "> quoted\n@helper do it",
        "```sh\nls\n```\n\n@helper run it",
        "@helper\n\n```sh\necho 1\n```",
    ],
)
def test_a_mention_is_heard(text: str) -> None:
    assert mentions(text, "helper")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "helper, fix this",
        "@helpers fix this",
        "@helper-two fix this",
        "@helper/team look",
        "mail me at me@helper.example",
        "someone@helper",
        "> @helper fix this\n\nNo, do not.",
        "`@helper` is its name",
        "```\n@helper fix this\n```",
        "~~~\n@helper",
    ],
)
def test_what_only_looks_like_a_mention_is_none(text: str) -> None:
    assert not mentions(text, "helper")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, True),
        ({"body": "go"}, False),
        ({"by": None}, False),
        ({"by_bot": True}, False),
        ({"by": replace(BOB, login="Helper")}, False),
        ({"kind": Kind.ISSUE}, True),
        ({"kind": Kind.REVIEW, "body": "", "wants_changes": True}, True),
        ({"kind": Kind.REVIEW, "body": "fine"}, False),
        ({"kind": Kind.ASSIGNED, "names": ("HELPER",), "body": ""}, True),
        ({"kind": Kind.ASSIGNED, "names": ("bob",)}, False),
        ({"kind": Kind.LABELED, "names": ("agent",)}, True),
        ({"kind": Kind.LABELED, "names": ("bug",)}, False),
        ({"kind": Kind.CHECKS, "by": None}, True),
        ({"kind": Kind.CONFLICT, "by": None}, True),
    ],
)
def test_the_rules_say_what_concerns_us(change: dict[str, object], expected: bool) -> None:
    assert RULES.concern(replace(SAID, **change)) is expected  # type: ignore[arg-type]


def test_without_a_label_or_repairs_neither_starts_anything() -> None:
    quiet = Rules("helper")
    assert not quiet.concern(replace(SAID, kind=Kind.LABELED, names=("",)))
    assert not quiet.concern(replace(SAID, kind=Kind.CHECKS, by=None))


def test_the_key_is_of_what_happened_and_not_of_how_it_was_told() -> None:
    assert SAID.key == replace(SAID, at=AT.replace(year=2027), body="else").key
    assert SAID.key != replace(SAID, id=6).key
    assert SAID.key != replace(SAID, kind=Kind.REVIEW_COMMENT).key
    assert SAID.key != replace(SAID, repository_id=2).key
    given = replace(SAID, kind=Kind.ASSIGNED, names=("helper",))
    assert given.key != replace(given, at=AT.replace(year=2027)).key


def test_a_thread_is_an_issue_or_a_branch_whatever_the_case() -> None:
    assert thread_of(SAID) == thread_of(replace(SAID, owner="octo", id=9)) == "octo/app#3"
    failed = replace(SAID, kind=Kind.CHECKS, number=None, ref="Topic", sha="a")
    assert thread_of(failed) == "octo/app@Topic"
