"""The local GitHub's web flow for apps: its page asks nobody, the browser is somebody already.

Source: https://docs.github.com/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from tests.peers.github.state import State

AUTHORIZE, TOKEN = "/login/oauth/authorize", "/login/oauth/access_token"


@dataclass
class WebFlow:
    """One app. *browsing*: the login of who uses the browser; *denies*: they press Cancel."""

    client_id: str = "Iv1.0123456789abcdef"
    client_secret: str = field(default_factory=lambda: secrets.token_hex(20))
    callback: str = ""
    browsing: str = "octo"
    denies: bool = False
    codes: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if asked.get("client_id") != self.client_id:
            return HTMLResponse("<h1>404</h1>", 404)
        if asked.get("redirect_uri", "") != self.callback:
            return HTMLResponse("<h1>Be careful! The redirect_uri is not associated.</h1>", 400)
        back = {"state": asked.get("state", "")}
        if self.denies:
            described = "The user has denied your application access."
            back |= {"error": "access_denied", "error_description": described}
        else:
            code = secrets.token_hex(10)
            self.codes[code] = {**asked, "login": self.browsing}
            back |= {"code": code}
        return RedirectResponse(f"{self.callback}?{urlencode(back)}", 302)

    def token(self, state: State, body: bytes) -> Response:
        """Errors have status 200, as GitHub's do."""
        sent = dict(parse_qsl(body.decode()))
        if (sent.get("client_id"), sent.get("client_secret")) != (
            self.client_id,
            self.client_secret,
        ):
            return _error("incorrect_client_credentials", "The client_secret is incorrect.")
        asked = self.codes.pop(sent.get("code", ""), None)
        if asked is None or not _proves(sent.get("code_verifier", ""), asked):
            return _error("bad_verification_code", "The code passed is incorrect or expired.")
        if sent.get("redirect_uri") != asked["redirect_uri"]:
            return _error("redirect_uri_mismatch", "The redirect_uri MUST match.")
        scopes = tuple(asked.get("scope", "").split())
        made = state.add_token(asked["login"], "gho_", scopes=scopes)
        told = {"access_token": made, "scope": ",".join(scopes), "token_type": "bearer"}
        return JSONResponse(told)


def _proves(verifier: str, asked: Mapping[str, str]) -> bool:
    hashed = hashlib.sha256(verifier.encode()).digest()
    challenge = base64.urlsafe_b64encode(hashed).decode().rstrip("=")
    return (asked.get("code_challenge_method"), asked.get("code_challenge")) == ("S256", challenge)


def _error(name: str, described: str) -> Response:
    return JSONResponse({"error": name, "error_description": described})
