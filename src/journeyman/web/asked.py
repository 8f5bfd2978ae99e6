"""The fields of the new-task form: from an address, an earlier task or a browser, to a NewTask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from journeyman.domain.browsing import Sight
from journeyman.domain.errors import invalid
from journeyman.domain.limits import DEFAULTS, Limits
from journeyman.domain.tasks import NewTask

LIMITS = ("minutes", "steps", "tokens", "credits")
FIELDS = (
    "prompt",
    "repository",
    "model",
    "custom_agent",
    "base_ref",
    "head_ref",
    "create_pull_request",
    *LIMITS,
)
Sent = Mapping[str, str]


def from_form(form: Sent) -> Sent:
    return {name: form.get(name, "") for name in FIELDS}


def from_query(asked: Sent) -> Sent:
    """A pull request is wanted unless the address says `create_pull_request=0`."""
    wanted = asked.get("create_pull_request", "1").replace("0", "")
    return {**from_form(asked), "create_pull_request": wanted}


def from_task(sight: Sight) -> Sent:
    """What would make the same task again, on a branch of its own."""
    first = sight.sessions[0]
    given = {
        name: value
        for name, value in asdict(first.limits).items()
        if value and value != getattr(DEFAULTS, name)
    }
    return from_form(
        {
            "prompt": first.prompt,
            "repository": sight.task.repository.full_name,
            "model": first.model or "",
            "custom_agent": first.custom_agent or "",
            "base_ref": first.base_ref,
            "head_ref": first.head_ref if first.on_existing_branch else "",
            "create_pull_request": "1" if first.create_pull_request else "",
            **{name: f"{value:g}" for name, value in given.items()},
        }
    )


def new_task(sent: Sent) -> NewTask:
    """INVALID, with the field, for what is none."""
    return NewTask(
        # A browser sends line ends as CRLF; a script in a prompt would not run with them.
        prompt=sent["prompt"].replace("\r\n", "\n"),
        model=sent["model"] or None,
        custom_agent=sent["custom_agent"] or None,
        create_pull_request=bool(sent["create_pull_request"]),
        base_ref=sent["base_ref"].strip() or None,
        head_ref=sent["head_ref"].strip() or None,
        limits=_limits(sent),
    )


def _limits(sent: Sent) -> Limits:
    given = {name: _number(name, sent[name].strip()) for name in LIMITS if sent[name].strip()}
    steps, tokens = given.get("steps"), given.get("tokens")
    return Limits(
        minutes=given.get("minutes"),
        steps=None if steps is None else int(steps),
        tokens=None if tokens is None else int(tokens),
        credits=given.get("credits"),
    )


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise invalid(f"limits.{name}", f"{text[:40]!r} is not a number.") from None
    if not 0 < value < 1e12:
        raise invalid(f"limits.{name}", f"{text[:40]} is no limit; give a number above 0.")
    return value
