"""Where clients get tokens: the device flow and the token endpoint, in GitHub's dialect.

Not RFC 6749's: bodies are JSON, form or query, answers are form, JSON or XML, and an error has
status 200. Knows nothing of how a user agrees.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode
from xml.sax.saxutils import escape

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from journeyman.api import body
from journeyman.api.errors import Refusal
from journeyman.api.exchange import address_of, host_of
from journeyman.domain.audit import Author, Surface
from journeyman.domain.errors import AppError
from journeyman.domain.oauth import Failure, Issued, Refused
from journeyman.service import audit
from journeyman.service.oauth import Client, CodeExchange, OAuth
from journeyman.telemetry.requests import note_route

DEVICE_CODE = "/login/device/code"
ACCESS_TOKEN = "/login/oauth/access_token"  # noqa: S105 - an address
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DOCS = "https://docs.github.com/apps/oauth-apps/maintaining-oauth-apps"
DEVICE_DOCS = (
    "https://docs.github.com/developers/apps/authorizing-oauth-apps#error-codes-for-the-device-flow"
)
TOKEN_DOCS = f"{DOCS}/troubleshooting-oauth-app-access-token-request-errors/#"
OF_THE_DEVICE_FLOW = frozenset(
    {
        Failure.AUTHORIZATION_PENDING,
        Failure.SLOW_DOWN,
        Failure.EXPIRED_TOKEN,
        Failure.ACCESS_DENIED,
        Failure.INCORRECT_DEVICE_CODE,
        Failure.UNSUPPORTED_GRANT_TYPE,
        Failure.DEVICE_FLOW_DISABLED,
    }
)

Fields = Mapping[str, str]
Answer = dict[str, str | int]

log = structlog.get_logger(__name__)


class TokenEndpoints:
    """A pure ASGI application for the two addresses; they take POST only."""

    def __init__(self, oauth: OAuth, *, public_url: str = "") -> None:
        self._oauth = oauth
        self._public_url = public_url.rstrip("/")
        self.endpoints = {DEVICE_CODE: self._device_code, ACCESS_TOKEN: self._access_token}

    def matches(self, path: str) -> bool:
        return path in self.endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        note_route(scope, scope["path"])
        request = Request(scope, receive)
        with audit.acting(Author(Surface.API, address=address_of(scope))):
            response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        if request.method != "POST":
            return _written(request, {"error": "Not Found"}, 404)
        try:
            fields = await read_fields(request)
            answer = await self.endpoints[request.url.path](request, fields)
        except Refused as refused:
            return _written(request, _as_answer(refused))
        except AppError:
            return _written(request, _as_answer(Refused(Failure.INVALID_REQUEST)))
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:  # noqa: BLE001 - a bug: the client gets a status, the log the traceback
            log.exception("oauth.failed", path=request.url.path)
            return _written(request, {"error": "server_error"}, 500)
        return _written(request, answer)

    async def _device_code(self, request: Request, fields: Fields) -> Answer:
        client = client_of(request, fields)
        started = await self._oauth.start_device(client.client_id, fields.get("scope", ""))
        web = self._public_url or f"{request.url.scheme}://{host_of(request.scope)}"
        return {
            "device_code": started.device_code,
            "user_code": started.user_code,
            "verification_uri": f"{web}/login/device",
            "expires_in": started.expires_in,
            "interval": started.interval,
        }

    async def _access_token(self, request: Request, fields: Fields) -> Answer:
        client, only = client_of(request, fields), _number(fields.get("repository_id"))
        match fields.get("grant_type", "authorization_code"):
            case grant if grant == DEVICE_GRANT:
                code = fields.get("device_code", "")
                issued = await self._oauth.poll_device(client.client_id, code, repository_id=only)
            case "refresh_token":
                issued = await self._oauth.refresh(client, fields.get("refresh_token", ""))
            case "authorization_code":
                asked = CodeExchange(
                    code=fields.get("code", ""),
                    redirect_uri=fields.get("redirect_uri"),
                    code_verifier=fields.get("code_verifier"),
                    repository_id=only,
                )
                issued = await self._oauth.exchange_code(client, asked)
            case _:
                raise Refused(Failure.UNSUPPORTED_GRANT_TYPE)
        return _as_token(issued)


async def read_fields(request: Request) -> dict[str, str]:
    """From the query and the body; null and empty is absent, and a body that is no object says
    nothing. Raises AppError for one that is too large."""
    found: dict[str, Any] = dict(parse_qsl(request.scope["query_string"].decode("latin-1")))
    content = await body.read_bytes(request)
    if "json" in request.headers.get("content-type", ""):
        found |= _object(content)
    else:
        found |= dict(parse_qsl(content.decode("utf-8", "replace")))
    texts = {key: value for key, value in found.items() if isinstance(value, str | int)}
    return {key: str(value) for key, value in texts.items() if value not in ("", True, False)}


def client_of(request: Request, fields: Fields) -> Client:
    """From the body, or else from Basic, as Go's library tries first."""
    if "client_id" in fields:
        return Client(fields["client_id"], fields.get("client_secret"))
    return basic_client(request) or Client("")


def basic_client(request: Request) -> Client | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value.strip()).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return Client(unquote_plus(user), unquote_plus(password) or None)


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = body.parse(content)
    except Refusal:
        return {}
    return found


def _number(text: str | None) -> int | None:
    """A repository id that is none reaches no repository."""
    if text is None:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _as_token(issued: Issued) -> Answer:
    answer: Answer = {"access_token": issued.access_token}
    if issued.refresh_token is not None:
        assert issued.expires_in is not None
        assert issued.refresh_token_expires_in is not None
        answer |= {
            "expires_in": issued.expires_in,
            "refresh_token": issued.refresh_token,
            "refresh_token_expires_in": issued.refresh_token_expires_in,
        }
    return answer | {"token_type": "bearer", "scope": ",".join(issued.scopes)}


def _as_answer(refused: Refused) -> Answer:
    failure = refused.failure
    in_device_flow = failure in OF_THE_DEVICE_FLOW
    address = DEVICE_DOCS if in_device_flow else TOKEN_DOCS + failure.replace("_", "-")
    answer: Answer = {
        "error": failure.value,
        "error_description": str(refused),
        "error_uri": address,
    }
    return answer if refused.interval is None else answer | {"interval": refused.interval}


def _written(request: Request, answer: Answer, status: int = 200) -> Response:
    accept = request.headers.get("accept", "")
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Vary": "Accept"}
    if "json" in accept:
        kind, text = "application/json", json.dumps(answer, separators=(",", ":"))
    elif "xml" in accept:
        items = "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in answer.items())
        kind, text = "application/xml", f"<OAuth>{items}</OAuth>"
    else:
        kind, text = "application/x-www-form-urlencoded", urlencode(answer)
    return Response(text, status, headers, f"{kind}; charset=utf-8")


def token_endpoints(oauth: OAuth, *, public_url: str = "") -> ASGIApp:
    return TokenEndpoints(oauth, public_url=public_url)
