"""The words of a pull request and of the agent's commits."""

from __future__ import annotations

import re
from collections.abc import Sequence

from journeyman.domain.held import Held
from journeyman.domain.repositories import Account
from journeyman.domain.signature import is_signed, signature, unmarked
from journeyman.runner import refusals
from journeyman.runner.checks import Result
from journeyman.sandbox import Blocked

AGENT_NAME = "journeyman[bot]"
AGENT_EMAIL = "journeyman[bot]@users.noreply.journeyman.invalid"
PLACES_SHOWN, COMMANDS_SHOWN, COMMAND_SHOWN = 20, 3, 100
"""Blocked places, commands of each, and characters of each."""
SIGNS = {"passed": "✅", "failed": "❌", "skipped": "⏭️"}
_HEADING = re.compile(r"\s*# +(?P<title>\S.{0,199}?) *(?:\n|$)")
PROMPT_SHOWN = 10_000
"""Characters of the prompt that a pull request's body repeats."""
THEIRS_CHARS = 48_000
"""Characters of somebody else's body, up to which a section is added."""
_SECTION = re.compile(
    r"(\r?\n){0,2}<!-- journeyman (?P<task>[\w-]+) -->.*?(<!-- /journeyman -->|\Z)", re.DOTALL
)


def firewall_warning(blocked: Sequence[Blocked]) -> str:
    """What the firewall refused, for a pull request; empty when that is nothing."""
    if not blocked:
        return ""
    lines = [
        "[!WARNING]",
        "<details>",
        "<summary>The firewall blocked connections to one or more addresses</summary>",
        "",
    ]
    places = refusals.by_place(blocked)
    for place, attempts in list(places.items())[:PLACES_SHOWN]:
        kinds = {"dns block" if one.method == "DNS" else "http block" for one in attempts}
        lines.append(f"- `{place}` ({', '.join(sorted(kinds))})")
        lines += [f"  - by `{command}`" for command in _commands(attempts)]
    if len(places) > PLACES_SHOWN:
        lines.append(f"- and {len(places) - PLACES_SHOWN} more")
    lines += ["", "If the work needs one, an operator can allow it under `[firewall]`.", ""]
    return "".join(f"> {line}".rstrip() + "\n" for line in [*lines, "</details>"]) + "\n"


def _commands(attempts: Sequence[Blocked]) -> list[str]:
    """A few of the commands behind *attempts*, fit for a code span."""
    cleaned = (" ".join(one.command.replace("`", "'").split()) for one in attempts if one.command)
    return list(dict.fromkeys(command[:COMMAND_SHOWN] for command in cleaned))[:COMMANDS_SHOWN]


def trailers(requester: Account, log_url: str, noreply: str) -> tuple[str, ...]:
    """Who asked for a commit, by an address that the forge knows them by, and where its log is."""
    email = f"{requester.id}+{requester.login}@{noreply}"
    return (f"Agent-Logs-Url: {log_url}", f"Co-authored-by: {requester.login} <{email}>")


def pull_title(held: Held, description: str) -> str:
    """What the agent calls it, or else the task's name."""
    return parted(description)[0] or held.task_name


def parted(description: str) -> tuple[str, str]:
    """The heading that the agent's description begins with, empty without one; and the rest."""
    heading = _HEADING.match(description)
    return (heading["title"], description[heading.end() :]) if heading else ("", description)


def checks_told(results: Sequence[Result]) -> str:
    """What was checked before the delivery, for a pull request; empty when nothing was."""
    if not results:
        return ""
    lines = ["### Checks", ""]
    for one in results:
        first, *rest = one.message.split("\n")
        lines.append(f"- {SIGNS.get(one.status, '')} **{one.name}**: {first}")
        lines += [f"  {line}" for line in rest]
    return "\n".join(lines) + "\n\n"


def pull_body(
    held: Held,
    description: str,
    log_url: str,
    blocked: Sequence[Blocked] = (),
    checked: Sequence[Result] = (),
) -> str:
    """What the agent says it did, what it could not reach, what was checked, and the prompt."""
    prompt = held.session.prompt[:PROMPT_SHOWN]
    quoted = "\n".join(f"> {line}" for line in prompt.splitlines())
    _, said = parted(description)
    body = (
        f"{said.strip() or 'Work in progress.'}\n\n"
        f"{firewall_warning(blocked)}"
        f"{checks_told(checked)}"
        f"<details>\n<summary>Original prompt</summary>\n\n{quoted}\n\n</details>\n\n"
        f"{signature(held.actor.account.login, log_url)}"
    )
    return unmarked(body)


def is_own(body: str, task_id: str) -> bool:
    """Whether the task has opened the pull request that says *body*: it is signed outside of
    sections."""
    return is_signed(_SECTION.sub("", body), task_id)


def renewed(old: str, new: str) -> str:
    """*new* for the task's own pull request, with the sections that other tasks have added."""
    return new + "".join(found[0] for found in _SECTION.finditer(old))


def with_section(theirs: str, ours: str, task_id: str) -> str:
    """What somebody has written, then *ours* as the marked section of the task; the words around
    it stay. Where the forge would have to cut their words for it, nothing is added."""
    section = f"\n\n<!-- journeyman {task_id} -->\n---\n\n{ours}<!-- /journeyman -->"
    for found in _SECTION.finditer(theirs):
        if found["task"] == task_id:
            return theirs[: found.start()] + section + theirs[found.end() :]
    return theirs + section if len(theirs) <= THEIRS_CHARS else theirs
