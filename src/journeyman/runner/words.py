"""The words of a pull request and of the agent's commits."""

from __future__ import annotations

from journeyman.domain.held import Held
from journeyman.domain.repositories import Account

AGENT_NAME = "journeyman[bot]"
AGENT_EMAIL = "journeyman[bot]@users.noreply.journeyman.invalid"
PROMPT_SHOWN = 10_000
"""Characters of the prompt that a pull request's body repeats."""


def trailers(requester: Account, log_url: str) -> tuple[str, ...]:
    """Who asked for a commit, and where its log is."""
    email = f"{requester.id}+{requester.login}@users.noreply.journeyman.invalid"
    return (f"Agent-Logs-Url: {log_url}", f"Co-authored-by: {requester.login} <{email}>")


def pull_title(held: Held) -> str:
    return held.task_name


def pull_body(held: Held, description: str, log_url: str) -> str:
    """What the agent says it did, then the original prompt, folded."""
    prompt = held.session.prompt[:PROMPT_SHOWN]
    quoted = "\n".join(f"> {line}" for line in prompt.splitlines())
    return (
        f"{description.strip() or 'Work in progress.'}\n\n"
        f"<details>\n<summary>Original prompt</summary>\n\n{quoted}\n\n</details>\n\n"
        f"Requested by @{held.actor.account.login}. [Follow the agent's log]({log_url}).\n"
    )
