"""A repository under a former name, for those of GitHub's CLI's routes that have no redirects.

Knows nothing of what is done with it.
"""

from __future__ import annotations

from journeyman.domain.errors import Renamed
from journeyman.domain.principals import Principal
from journeyman.forge import Access
from journeyman.service.identity import Identity


async def follow(identity: Identity, principal: Principal, owner: str, name: str) -> Access:
    """As `Identity.access`, but never Renamed."""
    try:
        return await identity.access(principal, owner, name)
    except Renamed as moved:
        owner, _, name = moved.full_name.partition("/")
        return await identity.access(principal, owner, name)
