"""What the agent is told of its repository, read from the commit that the work starts from."""

from __future__ import annotations

from journeyman.agent.customisation import repository
from journeyman.agent.customisation.repository import Customisation
from journeyman.agent.instructions import Briefing, system_prompt
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.held import Held
from journeyman.runner import sources
from journeyman.sandbox import Sandbox

PROBLEMS_TOLD = 20


async def customisation(base_sha: str, box: Sandbox) -> Customisation:
    """What the repository says to its agents at *base_sha*."""
    files, problems = await sources.read(box, base_sha, repository.PATHS)
    return repository.read(files, problems)


def instructions(held: Held, base_sha: str, found: Customisation) -> str:
    """The system prompt."""
    briefing = Briefing(
        repository=held.repository.full_name,
        branch=held.session.head_ref,
        base_ref=held.session.base_ref,
        base_sha=base_sha,
        can_ask=True,
    )
    return system_prompt(briefing, found)


def told(found: Customisation) -> list[NewEvent]:
    """What the session shows of its customisation: what is in use, and what is wrong."""
    said = [str(problem) for problem in found.problems[:PROBLEMS_TOLD]]
    if len(found.problems) > PROBLEMS_TOLD:
        said.append(f"{len(found.problems) - PROBLEMS_TOLD} more problems of this kind")
    events = [
        NewEvent(EventType.SESSION_INFO, {"message": text, "infoType": "customisation_warning"})
        for text in said
    ]
    if found.used:
        message = f"Instructions in use: {', '.join(found.used)}"
        data = {"message": message, "infoType": "customisation", "files": found.used}
        events.insert(0, NewEvent(EventType.SESSION_INFO, data))
    return events
