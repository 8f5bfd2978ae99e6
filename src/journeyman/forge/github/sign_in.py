"""Logging in with an account of GitHub's: its web flow, for OAuth apps and GitHub Apps alike.

Source: https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

import httpx
import msgspec

from journeyman.domain.errors import AppError, Code
from journeyman.forge import ForgeError

SCOPE = "repo workflow"
"""What the work of an agent needs; a GitHub App has permissions instead, and leaves it aside."""


@dataclass(frozen=True)
class App:
    """As it is registered there."""

    client_id: str
    client_secret: str = field(repr=False)


class TokenAnswer(msgspec.Struct):
    """With status 200 also for an error."""

    access_token: str = ""
    error: str = ""
    error_description: str = ""


class GitHubSignIn:
    """*url*: where people look at it."""

    def __init__(self, client: httpx.AsyncClient, url: str, app: App) -> None:
        self._client = client
        self._url = url
        self._app = app

    def address(self, *, redirect_uri: str, state: str, challenge: str) -> str:
        query = {
            "client_id": self._app.client_id,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return f"{self._url}/login/oauth/authorize?{urlencode(query)}"

    async def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> str:
        sent = {
            "client_id": self._app.client_id,
            "client_secret": self._app.client_secret,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        place, accept = f"{self._url}/login/oauth/access_token", {"Accept": "application/json"}
        try:
            answer = await self._client.post(place, data=sent, headers=accept)
            found = msgspec.json.decode(answer.content, type=TokenAnswer)
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            raise ForgeError("GitHub cannot be asked now who you are; try again.") from error
        if found.access_token:
            return found.access_token
        why = found.error_description or found.error or f"status {answer.status_code}"
        raise AppError(Code.UNAUTHENTICATED, f"GitHub did not log you in: {why}")
