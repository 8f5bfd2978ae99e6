"""What a token may do in repositories, as another forge has said lately.

Knows nothing of how the forge is asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from journeyman.domain.repositories import Permission

FRESH_SECONDS = 60.0
"""How late it is seen that somebody has lost access."""
FRESH_SECONDS_WITHOUT = 10.0
"""How late it is seen that somebody has been given access."""


class RoleUnknown(Exception):
    """The forge must be asked first."""

    def __init__(self, repository_id: int) -> None:
        super().__init__(f"repository {repository_id}")
        self.repository_id = repository_id


class Roles:
    """Of one token, by repository. *clock* gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[int, tuple[Permission, float]] = {}

    def note(self, repository_id: int, permission: Permission) -> None:
        fresh = FRESH_SECONDS if permission else FRESH_SECONDS_WITHOUT
        self._known[repository_id] = permission, self._clock() + fresh

    def of(self, repository_id: int) -> Permission:
        """Raises RoleUnknown when it was not asked for, or too long ago."""
        permission, until = self._known.get(repository_id, (Permission.NONE, 0.0))
        if until <= self._clock():
            raise RoleUnknown(repository_id)
        return permission

    def knows(self, repository_id: int) -> bool:
        """Whether `of` has an answer."""
        return self._known.get(repository_id, (None, 0.0))[1] > self._clock()

    def at_least(self, permission: Permission) -> list[int]:
        """The repositories where it may do *permission*, of those that were asked for lately."""
        now = self._clock()
        return sorted(
            id
            for id, (granted, until) in self._known.items()
            if granted >= permission and until > now
        )
