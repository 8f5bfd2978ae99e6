"""What the service does for its users and for its workers: verbs, each one transaction.

The only package that commits. Knows nothing of HTTP, of models or of sandboxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a command of the operator's needs few of them
    from journeyman.llm import Models
    from journeyman.service.apps import Apps
    from journeyman.service.audit import Audit
    from journeyman.service.authorizations import Authorizations
    from journeyman.service.browsing import Browsing
    from journeyman.service.collaborators import Collaborators
    from journeyman.service.configurations import Configurations
    from journeyman.service.consents import Consents
    from journeyman.service.custom_agents import CustomAgents
    from journeyman.service.events import Events
    from journeyman.service.forge_logins import ForgeLogins
    from journeyman.service.history import Histories
    from journeyman.service.hooks import Hooks
    from journeyman.service.identity import Identity
    from journeyman.service.logins import Logins
    from journeyman.service.oauth import OAuth
    from journeyman.service.overview import Overviews
    from journeyman.service.patches import Patches
    from journeyman.service.personal_tokens import PersonalTokens
    from journeyman.service.proposing import Proposing
    from journeyman.service.pulls import Pulls
    from journeyman.service.reviews import Reviews
    from journeyman.service.secrets import Secrets
    from journeyman.service.sessions import Sessions
    from journeyman.service.tasks import Tasks
    from journeyman.service.templates import Templates
    from journeyman.service.triggers import Triggers
    from journeyman.service.upstream import Upstream
    from journeyman.service.users import Users


@dataclass(frozen=True)
class Services:
    """All that a surface may call."""

    identity: Identity
    tasks: Tasks
    sessions: Sessions
    events: Events
    patches: Patches
    models: Models
    custom_agents: CustomAgents
    browsing: Browsing
    oauth: OAuth
    consents: Consents
    apps: Apps
    logins: Logins
    pulls: Pulls
    proposing: Proposing
    reviews: Reviews
    templates: Templates
    histories: Histories
    secrets: Secrets
    configurations: Configurations
    collaborators: Collaborators
    overviews: Overviews
    hooks: Hooks
    audit: Audit
    personal_tokens: PersonalTokens
    authorizations: Authorizations
    users: Users
    triggers: Triggers
    forge_logins: ForgeLogins | None = None
    """None: nobody logs in at another forge."""
    upstream: Upstream | None = None
    """What is answered by another forge; None: nothing is."""
