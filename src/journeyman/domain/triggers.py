"""What happens on a forge that may ask for work: a mention, an assignment, a label, a review, a
failed check.

Knows nothing of how it was told: by a webhook, or found by asking.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from journeyman.domain.repositories import Account


class Kind(StrEnum):
    ISSUE = "issue"
    """The text of a new issue or pull request."""
    COMMENT = "comment"
    """In the conversation of either."""
    REVIEW = "review"
    """A review of a pull request as a whole, with the comments that belong to it."""
    REVIEW_COMMENT = "review_comment"
    """On a line of a pull request."""
    ASSIGNED = "assigned"
    LABELED = "labeled"
    CHECKS = "checks"
    """A check of a commit has failed."""
    CONFLICT = "conflict"
    """A branch has moved on: pull requests into it may not merge any more."""


@dataclass(frozen=True)
class Happening:
    kind: Kind
    repository_id: int
    owner: str
    name: str
    """Of the repository."""
    at: datetime
    by: Account | None
    """Who did it; None: nobody in particular, as with a check."""
    by_bot: bool = False
    number: int | None = None
    """Of the issue or pull request; None where only a branch is told."""
    body: str = ""
    """What was written, as it was written."""
    id: int | None = None
    """Of the comment."""
    review_id: int | None = None
    """The review that it is, or belongs to."""
    wants_changes: bool = False
    """A review that asks for changes."""
    names: tuple[str, ...] = ()
    """The logins that an issue was assigned to, or the labels that it was given."""
    ref: str = ""
    """The branch whose commit was checked, or that has moved on."""
    sha: str = ""

    @property
    def key(self) -> str:
        """What it is about: the same happening has the same key, however often and by whichever
        way it is told."""
        match self.kind:
            case Kind.COMMENT | Kind.REVIEW_COMMENT:
                about: object = self.id
            case Kind.REVIEW if self.review_id is not None:
                about = self.review_id
            case Kind.ISSUE:
                about = self.number
            case Kind.CHECKS:
                about = self.sha
            case Kind.CONFLICT:
                about = f"{self.ref}:{self.sha}:{self.number or ''}"
            case _:
                about = f"{self.number}:{self.at.isoformat()}:{self.by.login if self.by else ''}"
        return f"{self.kind}:{self.repository_id}:{about}"


OF_A_REVIEW = timedelta(minutes=2)
OF_A_GIFT = timedelta(seconds=5)
"""Between what two ways tell of one happening that has no number of its own."""


def is_known_as(told: Happening, known: Happening, noted_at: datetime) -> bool:
    """Whether *told* is what *known* is, told by another way and so under another key: a review,
    whose number Gitea's webhooks lack, an assignment or a label. *noted_at*: when *known* was told.
    """
    if told.kind is not known.kind or told.number != known.number or told.by is None:
        return False
    if known.by is None or told.by.id != known.by.id:
        return False
    apart = min(abs(told.at - known.at), abs(told.at - noted_at))
    if told.kind in (Kind.ASSIGNED, Kind.LABELED):
        return apart <= OF_A_GIFT and bool({*told.names} & {*known.names})
    one_way = (told.review_id is None) == (known.review_id is None)
    same = told.wants_changes == known.wants_changes and told.body.split() == known.body.split()
    return told.kind is Kind.REVIEW and not one_way and same and apart <= OF_A_REVIEW


@dataclass(frozen=True)
class Rules:
    """What starts work."""

    name: str
    """Mentioned as `@name`; the login that issues are assigned to."""
    label: str = ""
    """An issue that is given it; empty: none."""
    repairs: int = 0
    """Sessions that begin by themselves on one pull request: checks that fail, conflicts."""

    def concern(self, told: Happening) -> bool:
        """Whether *told* asks Journeyman for something. Who may ask is not looked at here."""
        if told.kind in (Kind.CHECKS, Kind.CONFLICT):
            return self.repairs > 0
        if told.by is None or told.by_bot or told.by.login.lower() == self.name.lower():
            return False
        names = {name.lower() for name in told.names}
        if told.kind is Kind.ASSIGNED:
            return self.name.lower() in names
        if told.kind is Kind.LABELED:
            return self.label.lower() in names if self.label else False
        return told.wants_changes or mentions(told.body, self.name)


_CODE = re.compile(r"^( {0,3})(`{3,}|~{3,}).*?(^ {0,3}\2[`~]*\s*$|\Z)|`[^`\n]*`", re.M | re.S)
_QUOTE = re.compile(r"^ {0,3}>.*$", re.M)


def mentions(text: str, name: str) -> bool:
    """Whether *text* speaks to `@name`: not in code, not in what it quotes, not as part of a
    longer name or an address."""
    said = _QUOTE.sub("", _CODE.sub("", text))
    return bool(re.search(rf"(?<![\w@/.`-])@{re.escape(name)}(?![\w/-])", said, re.I))


class Stage(StrEnum):
    """How far a trigger has come."""

    WAITING = "waiting"
    IGNORED = "ignored"
    """Nothing is done for it; the reason says why."""
    WORKING = "working"
    """A session works for it; whoever asked has not been told the end."""
    REFUSED = "refused"
    """Nothing can be done for it; whoever asked has not been told the reason."""
    ANSWERED = "answered"
    FAILED = "failed"
    """Given up, without a word on the forge: that could not be reached."""


@dataclass(frozen=True)
class Trigger:
    """A happening that asks for work, as it is kept."""

    id: int
    happening: Happening
    stage: Stage
    reason: str
    task_id: str | None
    session_id: str | None
    created_at: datetime
    attempts: int


def thread_of(told: Happening) -> str:
    """Where it happened: what happens in one thread within some seconds is handled together."""
    place = f"@{told.ref}" if told.number is None else f"#{told.number}"
    return f"{told.owner}/{told.name}".lower() + place
