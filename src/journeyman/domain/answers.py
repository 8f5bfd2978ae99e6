"""What Journeyman says on a forge to whoever asked for work there."""

from __future__ import annotations

import re
from collections.abc import Sequence

from journeyman.domain.artifacts import Artifact, BranchArtifact, PullArtifact
from journeyman.domain.events import Event, EventType
from journeyman.domain.sessions import Reason, Session, State

SAID_LIMIT = 6000
"""Characters of the agent's own words."""


def marker_of(key: str) -> str:
    """Hidden in a comment, so that it is found again and not made twice."""
    return f"<!-- journeyman-answer: {key} -->"


def is_for_the_asker(session: Session) -> bool:
    """Whether it has ended, or goes on only when somebody says so."""
    out_of_budget = session.state_reason is Reason.BUDGET_EXHAUSTED
    rests = session.state is State.IDLE and out_of_budget
    return session.ended or rests or session.state is State.WAITING_FOR_USER


def answer(
    session: Session,
    artifacts: Sequence[Artifact],
    log: Sequence[Event],
    *,
    askers: Sequence[str],
    here: int,
    name: str,
    log_url: str,
) -> str:
    """*here*: the number of the issue or pull request that it is said in. *name*: to be mentioned
    in a reply."""
    greeting = " ".join(f"@{login}" for login in askers)
    if session.state is State.WAITING_FOR_USER:
        told = f"I have a question; answer it in a comment that mentions @\u200b{name}."
        said = _question(log)
    elif session.state is State.IDLE:
        told = f"The work rests; a comment that mentions @\u200b{name} lets it go on."
        said = _why_it_rests(log)
    else:
        told, said = _told(session, artifacts, here), _last_words(log)
    parts = [f"{greeting} {told}".strip(), quiet(said), f"[Log]({log_url})"]
    return "\n\n".join(filter(None, parts))


def refusal(askers: Sequence[str], message: str) -> str:
    greeting = " ".join(f"@{login}" for login in askers)
    return f"{greeting} I cannot work on this: {quiet(message)}"


def quiet(text: str) -> str:
    """The agent's words, as a quotation that calls nobody and gives no other bot a command."""
    shown = text.strip()[:SAID_LIMIT].replace("<!--", "&lt;!--")
    shown = re.sub(r"@(?=\w)", "@\u200b", shown)
    return (
        "\n".join(f"> {line}".rstrip() for line in shown.splitlines()) if "\n" in shown else shown
    )


def _told(session: Session, artifacts: Sequence[Artifact], here: int) -> str:
    made = _made(artifacts, here)
    match session.state:
        case State.COMPLETED if session.state_reason is Reason.NO_CHANGES:
            return "I have changed nothing."
        case State.COMPLETED:
            return f"This is done{made}."
        case State.CANCELLED:
            return "The work was cancelled; what there was is kept."
        case State.TIMED_OUT:
            return f"The work has reached its limit and is not finished{made}. {_why(session)}"
        case _:
            return f"The work has failed{made}. {_why(session)}"


def _made(artifacts: Sequence[Artifact], here: int) -> str:
    pulls = [one.number for one in artifacts if isinstance(one, PullArtifact)]
    if pulls:
        return "" if pulls[-1] == here else f": #{pulls[-1]}"
    branches = [one.head_ref for one in artifacts if isinstance(one, BranchArtifact)]
    return f", on the branch `{branches[-1]}`" if branches else ""


def _why(session: Session) -> str:
    reason = f" (`{session.state_reason}`)" if session.state_reason else ""
    return f"{quiet(session.error or 'The log says more.')}{reason}"


def _last_words(log: Sequence[Event]) -> str:
    for event in reversed(log):
        if event.type is EventType.MESSAGE and str(event.data.get("content") or "").strip():
            return str(event.data["content"])
    return ""


def _why_it_rests(log: Sequence[Event]) -> str:
    for event in reversed(log):
        if event.type is EventType.SESSION_STATE:
            return str(event.data.get("message", ""))
    return ""


def _question(log: Sequence[Event]) -> str:
    for event in reversed(log):
        if event.type is EventType.INPUT_REQUESTED:
            choices = [f"- {one}" for one in event.data.get("choices") or ()]
            return "\n".join([str(event.data.get("question", "")), *choices])
    return ""
