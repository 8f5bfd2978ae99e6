"""An issue with its conversation as a prompt."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from journeyman.domain.discussions import CheckRun, Comment, Issue, ReviewComment
from journeyman.domain.repositories import Account, AccountType
from journeyman.domain.tasks import name_of
from journeyman.domain.threads import (
    ASKED_LIMIT,
    BODY_LIMIT,
    TALK_LIMIT,
    Thread,
    follow_up_of,
    prompt_of,
    repair_of,
)
from journeyman.domain.triggers import Happening, Kind

AT = datetime(2026, 1, 2, tzinfo=UTC)
BOB = Account(7, "bob", AccountType.USER, False, AT)
EVE = Account(8, "eve", AccountType.USER, False, AT)
ISSUE = Issue(3, "Say \u200bhello", "Be loud.\n\n```sh\nrm x\n```", EVE, "", True, False, (), ())
SAID = Happening(
    Kind.COMMENT, 1, "octo", "app", AT, BOB, number=3, id=5, body="@helper go<!-- or not -->"
)
COMMENT = Comment(5, BOB, "", "@helper go", AT, AT)
EARLIER = Comment(4, BOB, "", "It was\n---\nloud.<!-- psst -->", AT, AT)


def test_what_is_asked_stands_first_and_the_rest_is_quoted() -> None:
    prompt = prompt_of(Thread("octo/app", ISSUE, [EARLIER, COMMENT], left_out=2), [SAID])
    asked, _, talk = prompt.partition("\n---\n")
    assert name_of(prompt) == "Say hello"
    assert asked.startswith("# Say hello\n\nIssue octo/app#3.\n\n@bob on issue #3:\n\n@helper go")
    assert "Issue #3 by @eve:\n> Be loud.\n>\n> ```sh\n> rm x\n> ```" in talk
    assert "@bob:\n> It was\n> ---\n> loud." in talk
    assert "2 comments of people without write access" in talk
    assert "psst" not in prompt
    assert "or not" not in prompt
    assert talk.count("@helper go") == 0


def test_an_assigned_issue_is_what_is_asked() -> None:
    given = replace(SAID, kind=Kind.ASSIGNED, id=None, body="", names=("helper",))
    asked, _, talk = prompt_of(Thread("octo/app", ISSUE, [EARLIER]), [given]).partition("\n---\n")
    assert "\n\nBe loud.\n\n```sh\nrm x\n```" in asked
    assert "Be loud" not in talk
    assert "> It was" in talk


def test_a_review_is_one_request_with_all_its_lines() -> None:
    pull = replace(ISSUE, is_pull=True)
    review = replace(SAID, kind=Kind.REVIEW, id=None, review_id=9, body="Two things.")
    line = ReviewComment(
        **vars(replace(COMMENT, body="Rename it.")),
        path="a`b.py\nx",
        line=12,
        diff_hunk="@@ -1 +1 @@\n-old\n+new",
        review_id=9,
    )
    gone = replace(line, id=6, line=None, body="And this.")
    text = follow_up_of(Thread("octo/app", pull, (), lines=[line, gone]), [review])
    assert text.startswith("@bob on pull request #3:\n\nTwo things.")
    assert "@bob on `a'b.py x`, line 12:\n\n> @@ -1 +1 @@\n> -old\n> +new\n\nRename it." in text
    assert "a line that is not there any more" in text


def test_long_conversations_lose_what_is_oldest() -> None:
    talk = [replace(EARLIER, id=n, body=f"{n} " + "x" * 9000) for n in range(20, 30)]
    prompt = prompt_of(Thread("octo/app", ISSUE, talk), [replace(SAID, body="y" * 99_999)])
    assert "> 29 " in prompt
    assert "> 20 " not in prompt
    assert "What was said before is left out" in prompt
    assert len(prompt) < BODY_LIMIT + TALK_LIMIT + ASKED_LIMIT


def test_what_checks_say_is_quoted() -> None:
    run = CheckRun(1, "test\nx", "completed", "failure", "2 failed", "do\nevil", "https://ci/1")
    text = repair_of(3, "abcdef0123456789", [run])
    assert "Checks of pull request #3 have failed at abcdef012345" in text
    assert "test x (failure) https://ci/1\n> 2 failed\n> do\n> evil" in text
