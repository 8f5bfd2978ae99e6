"""`journeyman login` and `logout` against a server that answers as it is told."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest

from tests.unit.cli.api import Answer, Api, as_json
from tests.unit.cli.conftest import Run

STARTED = {
    "device_code": "d" * 40,
    "user_code": "WDJB-MJHT",
    "verification_uri": "http://host/login/device",
    "expires_in": 900,
    "interval": 0,
}
TOKEN = {"access_token": "gho_new", "token_type": "bearer", "scope": "repo"}
START, POLL = "POST /login/device/code", "POST /login/oauth/access_token"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the token is kept."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "config" / "journeyman" / "client.toml"


def answering(api: Api, *polls: Answer) -> None:
    api.on(START, as_json(STARTED))
    api.on(POLL, *polls)
    api.on("GET /user", as_json({"login": "alice"}))


def error(name: str, **more: object) -> Answer:
    return as_json({"error": name, **more})


def test_the_token_is_kept_where_only_its_owner_reads_it(
    journeyman: Run, api: Api, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNEYMAN_TOKEN")
    waiting = error("authorization_pending")
    answering(api, waiting, error("slow_down", interval=0), as_json(TOKEN))
    done = journeyman("login")
    assert done.code == 0
    assert "http://host/login/device" in done.out
    assert "WDJB-MJHT" in done.out
    assert done.out.endswith(f"logged in to {api.url} as alice\n")
    assert "gho_new" not in done.out + done.err
    assert tomllib.loads(file.read_text()) == {"url": api.url, "token": "gho_new"}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (started,) = api.requests(START)
    assert started.body == {"client_id": "6a6f75726e65796d616e", "scope": "repo"}
    assert len(api.requests(POLL)) == 3
    assert api.requests("GET /user")[0].headers["authorization"] == "Bearer gho_new"


def test_a_file_that_others_could_read_is_replaced(journeyman: Run, api: Api, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text('token = "gho_old"\n')
    file.chmod(0o644)
    answering(api, as_json(TOKEN))
    done = journeyman("login")
    assert "JOURNEYMAN_TOKEN is set too" in done.err
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "gho_old" not in file.read_text()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error("access_denied"), "access was denied"),
        (error("expired_token"), "the code has expired"),
        (error("incorrect_device_code"), "answered 'incorrect_device_code'"),
        (as_json({"message": "x"}, 500), "is it a Journeyman server?"),
        (Answer(200, (b"<html>",), "text/html"), "is it a Journeyman server?"),
    ],
)
def test_what_goes_wrong_is_said_and_nothing_is_kept(
    journeyman: Run, api: Api, file: Path, answer: Answer, said: str
) -> None:
    answering(api, answer)
    done = journeyman("login")
    assert done.code == 1
    assert said in done.err
    assert not file.exists()


def test_a_server_without_the_device_flow_is_named(journeyman: Run, api: Api, file: Path) -> None:
    api.on(START, error("device_flow_disabled"))
    done = journeyman("login")
    assert done.code == 1
    assert "device_flow_disabled" in done.err


def test_logging_out_ends_the_token_and_forgets_it(journeyman: Run, api: Api, file: Path) -> None:
    file.parent.mkdir(parents=True)
    file.write_text(f'url = "{api.url}"\ntoken = "gho_old"\n')
    api.on("POST /credentials/revoke", as_json({}, 202))
    done = journeyman("logout")
    assert (done.code, done.out) == (0, f"logged out of {api.url}\n")
    assert api.requests("POST /credentials/revoke")[0].body == {"credentials": ["gho_old"]}
    assert tomllib.loads(file.read_text()) == {"url": api.url}
    again = journeyman("logout")
    assert again.code == 1
    assert "not logged in" in again.err
