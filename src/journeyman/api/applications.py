"""`/applications/{client_id}/token`: an app checks, resets or revokes a token that it holds.

The app shows its id and its secret with Basic. Also `/credentials/revoke`, for whoever holds one.
"""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from journeyman.api import accounts, body, responses, wire
from journeyman.api.errors import Refusal, invalid_request
from journeyman.api.exchange import Addresses, addresses_of
from journeyman.api.oauth import basic_client
from journeyman.domain.errors import Code, not_found
from journeyman.domain.oauth import App
from journeyman.domain.principals import Token
from journeyman.service.apps import Apps
from journeyman.service.oauth import Client

MOST_CREDENTIALS = 1000


class TokenBody(msgspec.Struct):
    access_token: str = ""


class Credentials(msgspec.Struct):
    credentials: Any = None


class Applications:
    def __init__(self, apps: Apps) -> None:
        self._apps = apps

    async def check(self, request: Request) -> Response:
        client, secret = await _asked(request)
        app, token = await self._apps.check(client, secret)
        return responses.as_json(authorization(secret, app, token, addresses_of(request.scope)))

    async def reset(self, request: Request) -> Response:
        made, app, token = await self._apps.reset(*await _asked(request))
        return responses.as_json(authorization(made, app, token, addresses_of(request.scope)))

    async def revoke(self, request: Request) -> Response:
        await self._apps.revoke(*await _asked(request))
        return Response(status_code=204)

    async def revoke_grant(self, request: Request) -> Response:
        await self._apps.revoke_grant(*await _asked(request))
        return Response(status_code=204)

    async def revoke_credentials(self, request: Request) -> Response:
        """As GitHub's: 202, whatever was found."""
        given = (await body.read(request, Credentials)).credentials
        texts = isinstance(given, list) and all(isinstance(one, str) for one in given)
        if not texts or not 0 < len(given) <= MOST_CREDENTIALS:
            # No list of errors: GitHub's is one of plain texts here.
            message = f"For 'properties/credentials', 1 to {MOST_CREDENTIALS} texts are wanted."
            raise Refusal(Code.INVALID, message)
        await self._apps.revoke_credentials(given)
        return responses.as_json({}, 202)


async def _asked(request: Request) -> tuple[Client, str]:
    client = basic_client(request)
    if client is None:
        raise Refusal(Code.UNAUTHENTICATED, "Requires authentication")
    if client.client_id != request.path_params["client_id"]:
        raise not_found("Not Found")
    secret = (await body.read(request, TokenBody)).access_token
    if not secret:
        raise invalid_request("access_token is missing.", "access_token", "missing_field")
    return client, secret


def authorization(secret: str, app: App, token: Token, addresses: Addresses) -> dict[str, Any]:
    created_at = wire.time(token.created_at)
    return {
        "id": token.id,
        "url": f"{addresses.api}/authorizations/{token.id}",
        "scopes": list(token.scopes),
        "token": secret,
        "token_last_eight": token.last_eight,
        "hashed_token": None,
        "app": {"name": app.name, "url": addresses.web, "client_id": app.client_id},
        "note": token.note,
        "note_url": None,
        "updated_at": created_at,
        "created_at": created_at,
        "fingerprint": None,
        "expires_at": None if token.expires_at is None else wire.time(token.expires_at),
        "user": accounts.simple_user(token.account, addresses),
    }
