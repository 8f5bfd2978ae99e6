"""`journeyman login` and `logout`: a token by the device flow, kept in client.toml."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import typer

from journeyman.cli import options, output
from journeyman.domain.errors import AppError, Code
from journeyman.domain.oauth import JOURNEYMAN_CLIENT_ID

if TYPE_CHECKING:
    import httpx

SCOPE = "repo"
GRANT = "urn:ietf:params:oauth:grant-type:device_code"
UNASKED = "it does not know the device flow; is it a Journeyman server?"


def register(root: typer.Typer) -> None:
    root.command()(login)
    root.command()(logout)


def login(url: options.Url = None) -> None:
    """Log in to a server: open the page that is shown, and type the code."""
    import httpx

    from journeyman import config
    from journeyman.cli.client import PAST_PROXIES, unreachable

    settings = config.load_client(url=url)
    headers = {"Accept": "application/json"}
    with httpx.Client(base_url=settings.url, headers=headers, mounts=PAST_PROXIES) as http:
        try:
            token = _token(http)
            headers = {"Authorization": f"Bearer {token}"}
            who = _answer(http.get("/user", headers=headers))["login"]
        except httpx.HTTPError as exc:
            raise unreachable(settings.url, exc) from exc
    _keep({"url": settings.url, "token": token})
    print(f"logged in to {settings.url} as {output.clean(str(who))}")
    if config.load_client().token != token:
        output.hint("JOURNEYMAN_TOKEN is set too, and goes first")


def logout() -> None:
    """End the token that `login` got, and forget it."""
    from journeyman import config
    from journeyman.cli.client import Client

    kept = _kept()
    if "token" not in kept:
        raise AppError(Code.UNAUTHENTICATED, "you are not logged in: client.toml has no token.")
    _keep({key: value for key, value in kept.items() if key != "token"})
    settings = config.Client(url=kept.get("url", config.Client.url), token=kept["token"])
    with Client(settings) as client:
        client.request("POST", "/credentials/revoke", json={"credentials": [kept["token"]]})
    print(f"logged out of {settings.url}")


def _token(http: httpx.Client) -> str:
    """Once the user has agreed; an AppError when they did not."""
    asked = {"client_id": JOURNEYMAN_CLIENT_ID, "scope": SCOPE}
    started = _answer(http.post("/login/device/code", json=asked))
    if "device_code" not in started:
        raise AppError(Code.UNAVAILABLE, f"{http.base_url}: {started.get('error', UNASKED)}")
    print(f"Open  {output.clean(str(started['verification_uri']))}")
    print(f"Code  {output.clean(str(started['user_code']))}", flush=True)
    poll = {
        "client_id": JOURNEYMAN_CLIENT_ID,
        "device_code": started["device_code"],
        "grant_type": GRANT,
    }
    wait = float(started["interval"])
    while True:
        time.sleep(wait)
        answer = _answer(http.post("/login/oauth/access_token", json=poll))
        if "access_token" in answer:
            return str(answer["access_token"])
        match answer.get("error"):
            case "authorization_pending":
                continue
            case "slow_down":
                wait = float(answer.get("interval", wait + 5))
            case "expired_token":
                raise AppError(Code.UNAUTHENTICATED, "the code has expired; log in again.")
            case "access_denied":
                raise AppError(Code.FORBIDDEN, "access was denied on the page.")
            case other:
                raise AppError(Code.UNAVAILABLE, f"{http.base_url} answered {other!r}.")


def _answer(response: httpx.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except ValueError:
        found = None
    if not response.is_success or not isinstance(found, dict):
        raise AppError(Code.UNAVAILABLE, f"{response.url}: {UNASKED}")
    return found


def _kept() -> dict[str, Any]:
    import tomllib

    from journeyman import config

    file = config.client_file()
    return tomllib.loads(file.read_text()) if file.is_file() else {}


def _keep(values: dict[str, Any]) -> None:
    """Write client.toml so that nobody else can read it, and never half of it."""
    from journeyman import config

    file = config.client_file()
    fresh = file.with_suffix(".new")
    # A JSON string is a TOML string too.
    text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as out:
            out.write(text)
        fresh.replace(file)
    except OSError as exc:
        raise AppError(Code.UNAVAILABLE, f"cannot write {file}: {exc.strerror}") from exc
