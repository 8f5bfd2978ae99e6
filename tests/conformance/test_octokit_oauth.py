"""octokit gets, renews and ends users' tokens: its `auth-oauth-…` and `oauth-methods`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.browser import agree, enter_code, query_of
from tests.conformance.conftest import BACK, Forge, Registered

pytestmark = pytest.mark.npm

KINDS = {"oauth-app": "oauth", "github-app": "github"}
"""What octokit calls an app, and what we do."""


def act(browser: httpx.Client, asked: dict[str, str]) -> dict[str, str]:
    """The person's part of a flow; what the app is told of it."""
    if "agree" in asked:
        return query_of(agree(browser, asked["agree"]))
    enter_code(browser, asked["enter"])
    return {}


@pytest.fixture
def seen(
    octokit: Path, forge: Forge, browser: httpx.Client, apps: dict[str, Registered]
) -> dict[str, Any]:
    known = {
        "url": forge.url,
        "back": BACK,
        "apps": {
            theirs: {"clientId": apps[ours].client_id, "clientSecret": apps[ours].secret}
            for theirs, ours in KINDS.items()
        },
    }
    with subprocess.Popen(
        ["node", "oauth.mjs", json.dumps(known)],
        cwd=octokit,
        env={"PATH": os.environ["PATH"], "HOME": str(octokit)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as driver:
        try:
            assert driver.stdin is not None
            assert driver.stdout is not None
            assert driver.stderr is not None
            for line in driver.stdout:
                asked = json.loads(line)
                if "seen" in asked:
                    found: dict[str, Any] = asked["seen"]
                    return found
                told = act(browser, asked)
                driver.stdin.write(json.dumps(told) + "\n")
                driver.stdin.flush()
            raise AssertionError(driver.stderr.read())
        finally:
            driver.kill()


@pytest.mark.timeout(420)
def test_octokit_gets_renews_and_ends_tokens(
    seen: dict[str, Any], apps: dict[str, Registered]
) -> None:
    for prefix in ("/", "/api/v3"):
        part = seen[prefix]
        assert part["pending"] == {
            "pending": "authorization_pending",
            "early": "slow_down",
            "scopes": ["gist,repo"],  # octokit splits at spaces; GitHub joins with commas
            "wrong": "incorrect_device_code",
        }
        assert part["refusals"] == {
            "secret": "incorrect_client_credentials",
            "code": "bad_verification_code",
            "refresh": "bad_refresh_token",
            "stranger": 401,
        }
        for theirs, ours in KINDS.items():
            renewed = ours == "github"
            assert part[theirs]["device"] == {
                "login": "alice",
                "kind": "ghu_" if renewed else "gho_",
                "expires": renewed,
                "refreshes": renewed,
            }
            user = part[theirs]["user"]
            assert user.get("scopes") == (None if renewed else ["repo"])
            assert (user["state"], user["user"]) == ("x", 200)
            assert (user["renewed"], user["deleted"]) == ([401, 200], 401)
            assert part[theirs]["app"] == {
                "login": "alice",
                "app": apps[ours].client_id,
                "ended": 401,
                "checkedAgain": 404,
            }
