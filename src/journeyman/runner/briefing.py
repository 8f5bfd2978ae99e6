"""What the agent is told of its repository, read from the commit that the work starts from."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from journeyman.agent.customisation import guides, repository
from journeyman.agent.customisation.hooks import Hook
from journeyman.agent.customisation.profiles import Profile
from journeyman.agent.customisation.repository import Customisation
from journeyman.agent.customisation.skills import Skill
from journeyman.agent.instructions import Briefing, external_prompt, system_prompt
from journeyman.agent.tools import Helper
from journeyman.agent.tools.task import GENERAL
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.held import Held
from journeyman.llm import Model
from journeyman.runner import memory, opening, sources
from journeyman.sandbox import Sandbox

SUBMODULES_TOLD = 20
PROBLEMS_TOLD = 20
EXPLORE = "explore"
READING = frozenset({"view", "search", "glob", "web_fetch"})
"""The tools of a sub-agent that changes nothing."""


async def customisation(base_sha: str, box: Sandbox, operators: Path | None) -> Customisation:
    """What the repository says to its agents at *base_sha*, and the operator in the file
    *operators*."""
    files, problems = await sources.read(box, base_sha, repository.PATHS)
    text, wrong = await asyncio.to_thread(sources.of_operator, operators)
    ours, unusable = guides.of_operator(text)
    found = repository.read(files, [*problems, *wrong, *unusable])
    return replace(found, operators=ours)


def instructions(
    held: Held,
    base_sha: str,
    found: Customisation,
    profile: Profile | None = None,
    *,
    network: str,
    set_up: str = "",
) -> str:
    """The system prompt."""
    where = replace(_briefing(held, base_sha, network), setup=set_up)
    prompt = system_prompt(where, found, profile)
    recalled = memory.recall(held.earlier)
    return f"{prompt.rstrip()}\n\n{recalled}" if recalled else prompt


def outsiders(held: Held, base_sha: str, found: Customisation, *, network: str, set_up: str) -> str:
    """What an agent of others is told before its task."""
    where = replace(_briefing(held, base_sha, network), setup=set_up)
    prompt = external_prompt(where, found)
    recalled = memory.recall(held.earlier)
    return f"{prompt.rstrip()}\n\n{recalled}" if recalled else prompt


def helpers(
    held: Held, base_sha: str, found: Customisation, *, network: str
) -> Mapping[str, Helper]:
    """The sub-agents of a session: ours, and the repository's custom agents that allow it."""
    where = replace(_briefing(held, base_sha, network), can_ask=False, is_part=True)
    plain = system_prompt(where, found)
    ours = {
        GENERAL: Helper("can do all that you can but report and delegate.", plain),
        EXPLORE: Helper("reads and searches only, changes nothing.", plain, READING.__contains__),
    }
    theirs = {
        profile.id: Helper(
            profile.description or profile.name,
            system_prompt(where, found, profile),
            profile.allows,
        )
        for profile in found.profiles
        if profile.by_model
    }
    return theirs | ours


def _briefing(held: Held, base_sha: str, network: str) -> Briefing:
    return Briefing(
        repository=held.repository.full_name,
        branch=held.session.head_ref,
        base_ref=held.session.base_ref,
        base_sha=base_sha,
        can_ask=True,
        network=network,
        begun_anew=opening.has_begun_anew(held.log),
        refused=opening.refused(held.log),
    )


def told(
    found: Customisation, profile: Profile | None, model: Model, *, ignored: Sequence[str] = ()
) -> list[NewEvent]:
    """What the session shows of its customisation: what is in use, and what is wrong.

    *ignored*: entries of the repository's allowlist that mean nothing.
    """
    problems = [*found.problems, *(profile.problems if profile else ())]
    unknown = [f"custom_allowlist: {entry!r} is not a host or a URL" for entry in ignored]
    return [
        *(_used(f"Instructions in use: {', '.join(found.used)}", found.used) if found.used else ()),
        *(_used(_as(profile, model), [profile.path]) if profile else ()),
        *_skills(found.skills),
        *_hooks(found.hooks),
        *_pointers(found.lfs),
        *_empty(found.submodules),
        *warnings([*map(str, problems), *unknown]),
    ]


def _used(message: str, paths: Sequence[str]) -> list[NewEvent]:
    data = {"message": message, "infoType": "customisation", "files": list(paths)}
    return [NewEvent(EventType.SESSION_INFO, data)]


def _skills(found: Sequence[Skill]) -> list[NewEvent]:
    if not found:
        return []
    names = ", ".join(skill.name for skill in found)
    return _used(f"Skills at hand: {names}", [skill.path for skill in found])


def _hooks(found: Sequence[Hook]) -> list[NewEvent]:
    if not found:
        return []
    names = ", ".join(dict.fromkeys(hook.moment.value for hook in found))
    return _used(f"Hooks in use: {names}", list(dict.fromkeys(hook.path for hook in found)))


def _pointers(found: Sequence[str]) -> list[NewEvent]:
    if not found:
        return []
    message = f"Files under Git LFS are left as their pointers: {', '.join(found)}"
    return _used(message, found)


def _empty(submodules: Sequence[str]) -> list[NewEvent]:
    if not submodules:
        return []
    named = ", ".join(submodules[:SUBMODULES_TOLD])
    return _used(f"Submodules are not fetched: {named}", [".gitmodules"])


def _as(profile: Profile, model: Model) -> str:
    wanted = f" (it asks for {', '.join(profile.models)})" if profile.models else ""
    return f"Custom agent in use: {profile.id}, from {profile.path}, with {model.id}{wanted}"


def warnings(problems: Sequence[str]) -> list[NewEvent]:
    """What is wrong with a customisation, each told once in the session's log."""
    said = list(problems[:PROBLEMS_TOLD])
    if len(problems) > PROBLEMS_TOLD:
        said.append(f"{len(problems) - PROBLEMS_TOLD} more problems of this kind")
    return [
        NewEvent(EventType.SESSION_INFO, {"message": text, "infoType": "customisation_warning"})
        for text in said
    ]
