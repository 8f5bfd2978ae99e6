"""`journeyman app …`, `user …` and fine-grained tokens on a real data directory."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Result, Run


@pytest.fixture
def on_data(journeyman: Run, tmp_path: Path) -> Run:
    def run(*arguments: str) -> Result:
        return journeyman(*arguments, "--data", str(tmp_path / "data"))

    return run


def test_the_known_clients_are_there_and_an_app_comes_and_goes(on_data: Run) -> None:
    known = json.loads(on_data("app", "list", "--json").out)
    assert {one["client_id"]: one["name"] for one in known} == {
        "178c6fc778ccc68e1d6a": "GitHub CLI",
        "6a6f75726e65796d616e": "Journeyman CLI",
    }
    made = json.loads(
        on_data("app", "create", "Gadget", "--callback", "https://gadget.example/x", "--json").out
    )
    assert len(made["client_secret"]) == 40
    assert made["client_id"] in on_data("app", "list").out
    assert made["client_secret"] not in on_data("app", "list", "--json").out
    assert on_data("app", "delete", made["client_id"]).code == 0
    gone = on_data("app", "delete", made["client_id"])
    assert gone.code == 1
    assert "There is no app" in gone.err
    assert len(json.loads(on_data("app", "list", "--json").out)) == 2


def test_a_github_app_has_permissions_and_installation_tokens(on_data: Run) -> None:
    on_data("user", "create", "alice")
    made = json.loads(
        on_data(
            "app", "create", "Bot", "--kind", "github", "--device-flow",
            "--permission", "agent_tasks=write", "--json",
        ).out
    )  # fmt: skip
    assert made["permissions"] == {"metadata": "read", "agent_tasks": "write"}
    token = on_data("app", "installation-token", made["client_id"], "alice")
    assert token.out.startswith("ghs_")
    assert on_data("app", "installation-token", made["client_id"], "nobody").code == 1
    assert on_data("app", "installation-token", "178c6fc778ccc68e1d6a", "alice").code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Gadget",), "needs a callback URL or the device flow"),
        (("", "--device-flow"), "cannot name an app"),
        (("Gadget", "--kind", "magic", "--device-flow"), "There is no kind 'magic'"),
        (("Gadget", "--device-flow", "--permission", "contents=read"), "asks for scopes"),
        (("Gadget", "--callback", "http://gadget.example/"), "is not encrypted"),
        (("Gadget", "--callback", "javascript:alert(1)"), "would run in the browser"),
        (("Gadget", "--callback", "data:text/html,x"), "is not an address"),
        (("Gadget", "--callback", "gadget"), "is not an address"),
        (
            ("Gadget", "--kind", "github", "--device-flow", "--permission", "x=read"),
            "no permission",
        ),
        (
            ("Gadget", "--kind", "github", "--device-flow", "--permission", "contents"),
            "read or write",
        ),
    ],
)
def test_what_is_no_app_is_one_line(on_data: Run, arguments: tuple[str, ...], said: str) -> None:
    on_data("migrate")
    done = on_data("app", "create", *arguments)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1


def test_users_are_made_and_listed_and_get_in(
    on_data: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        on_data("user", "create", "alice").out == "created user alice, who administers the site\n"
    )
    assert on_data("user", "create", "bob").out == "created user bob\n"
    assert on_data("user", "create", "BOB").code == 1
    assert on_data("user", "create", "login").code == 2
    people = json.loads(on_data("user", "list", "--json").out)
    assert [(one["login"], one["site_admin"]) for one in people] == [
        ("alice", True),
        ("bob", False),
    ]
    link = on_data("user", "link", "bob", "--url", "https://forge.example/").out
    assert link.startswith("https://forge.example/login/link/")
    assert on_data("user", "link", "nobody").code == 1
    assert on_data("user", "link", "bob", "--url", "forge.example").code == 2
    for typed, code in (("short\n", 2), ("a good password\n", 0)):
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        assert on_data("user", "password", "bob", "--stdin").code == code


def test_a_password_is_asked_for_on_a_terminal_only(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "journeyman.cli", "user", "password", "bob"]
    done = subprocess.run(
        [*command, "--data", str(tmp_path)],
        input="a good password\n",
        capture_output=True,
        text=True,
        env={"HOME": str(tmp_path)},
        start_new_session=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "no terminal to ask for the password; use --stdin" in done.stderr


def test_a_fine_grained_token_names_what_it_may_do(on_data: Run) -> None:
    create = ("token", "create", "--user", "alice", "--kind", "fine-grained")
    made = json.loads(
        on_data(*create, "--permission", "agent_tasks=write", "--expires-days", "30", "--json").out
    )
    assert made["token"].startswith("github_pat_")
    assert made["permissions"] == {"metadata": "read", "agent_tasks": "write"}
    assert made["repository_ids"] is None
    assert made["expires_at"]
    assert "fine-grained" in on_data("token", "list").out
    missing = on_data(*create, "--repository", "alice/nothing")
    assert (missing.code, "There is no repository 'alice/nothing'" in missing.err) == (1, True)
    assert on_data(*create, "--permission", "metadata=write").code == 2
    assert on_data("token", "create", "--user", "a", "--permission", "contents=read").code == 2
    assert on_data("token", "create", "--user", "a", "--kind", "odd").code == 2
