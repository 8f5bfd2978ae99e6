"""Who works on a session: the custom agent that was asked for, and the model.

What was chosen once is in the log, and stays. Knows nothing of providers.
"""

from __future__ import annotations

from collections.abc import Iterable

from journeyman.agent.acp import named
from journeyman.agent.customisation import profiles
from journeyman.agent.customisation.profiles import Profile
from journeyman.agent.customisation.repository import Customisation
from journeyman.agent.images import with_images
from journeyman.domain.events import Event, EventType
from journeyman.domain.held import Held
from journeyman.domain.sessions import Reason
from journeyman.llm import NO_NEEDS, Model, Models, Needs, UnknownModel
from journeyman.runner.outcome import Stop, failed

CHARS_PER_TOKEN = 4


def check_model(held: Held, models: Models) -> None:
    """Stop before anything is prepared when the model that was asked for is not there any more."""
    if held.session.model:
        _resolved(held.session.model, models)


def profile_for(held: Held, found: Customisation) -> Profile | None:
    """The custom agent that was asked for; None when there was none. Stop says which there are."""
    asked = held.session.custom_agent
    if not asked or named(asked) is not None:
        return None
    profile = profiles.find(found.profiles, asked)
    usable = [profile.id for profile in found.profiles if profile.by_user]
    there = f"there is: {', '.join(usable)}" if usable else f"put one into {profiles.DIRECTORY}"
    base = f"{held.repository.full_name} at {held.session.base_ref!r}"
    if profile is None:
        message = f"{base} has no custom agent {asked!r}; {there}."
        broken = [str(p) for p in found.problems if p.path.startswith(profiles.DIRECTORY)]
        raise Stop(failed(Reason.CUSTOM_AGENT_NOT_FOUND, " ".join([message, *broken[:3]])))
    if not profile.by_user:
        message = f"The custom agent {asked!r} of {base} is not for users to choose; {there}."
        raise Stop(failed(Reason.CUSTOM_AGENT_NOT_FOUND, message))
    return profile


def model_for(held: Held, profile: Profile | None, models: Models) -> Model:
    """As recorded, else as asked for, else as the profile has it, else `auto`."""
    asked = held.session.model
    named = asked if asked and asked.lower() != "auto" else None
    wanted = [_recorded(held.log), named]
    if named is None and profile is not None:
        wanted += profile.models
    for name in wanted:
        try:
            if name:
                return models.resolve(name)
        except UnknownModel:
            continue
    return _resolved(named, models, _needs(held))


def _needs(held: Held) -> Needs:
    """Of the newest prompt; what the repository says besides is of the same order everywhere."""
    said = with_images(held.session.prompt)
    parts = [said] if isinstance(said, str) else said
    texts = [part for part in parts if isinstance(part, str)]
    chars = sum(map(len, texts))
    return Needs(chars // CHARS_PER_TOKEN, images=len(texts) < len(parts))


def _recorded(log: Iterable[Event]) -> str | None:
    found = None
    for event in log:
        if event.type is EventType.SESSION_START:
            found = event.data.get("model")
        elif event.type is EventType.MODEL_CHANGE:
            found = event.data["newModel"]
    return found


def _resolved(name: str | None, models: Models, needs: Needs = NO_NEEDS) -> Model:
    try:
        return models.resolve(name, needs)
    except UnknownModel as error:
        raise Stop(failed(Reason.MODEL_NOT_CONFIGURED, f"{error}.")) from error
