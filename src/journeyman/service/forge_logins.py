"""Logging in at the forge that has the users, by OAuth's code flow. Knows nothing of browsers."""

from __future__ import annotations

import base64
import hashlib

from journeyman.domain.repositories import Account
from journeyman.forge import SignIn
from journeyman.service import outages
from journeyman.service.identity import Identity


class ForgeLogins:
    def __init__(self, sign_in: SignIn, identity: Identity) -> None:
        self._sign_in = sign_in
        self._identity = identity

    def address(self, *, redirect_uri: str, state: str, verifier: str) -> str:
        """Where the browser goes; who comes back with *state* has a code for `arrive`."""
        hashed = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(hashed).decode().rstrip("=")
        return self._sign_in.address(redirect_uri=redirect_uri, state=state, challenge=challenge)

    async def arrive(self, code: str, *, redirect_uri: str, verifier: str) -> tuple[Account, str]:
        """Who has come back, and their token. UNAUTHENTICATED when the forge does not take the
        code, UNAVAILABLE when it does not answer."""
        with outages.told():
            token = await self._sign_in.exchange(code, redirect_uri=redirect_uri, verifier=verifier)
        return (await self._identity.authenticate(token)).account, token
