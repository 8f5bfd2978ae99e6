"""`journeyman repo …`, `token …`, `migrate` and `config-check` on a real data directory."""

import json
import subprocess
from pathlib import Path

import pytest

from journeyman import config
from tests.unit.cli.conftest import Result, Run


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A git repository with one commit."""
    path = tmp_path / "source"
    identity = ["-c", "user.name=Alice", "-c", "user.email=alice@example.org"]
    for arguments in (
        ["init", "--quiet", "--initial-branch=trunk", str(path)],
        ["-C", str(path), *identity, "commit", "--quiet", "--allow-empty", "-m", "Begin"],
    ):
        subprocess.run(["git", *arguments], check=True)
    return path


@pytest.fixture
def on_data(journeyman: Run, tmp_path: Path) -> Run:
    def run(*arguments: str) -> Result:
        return journeyman(*arguments, "--data", str(tmp_path / "data"))

    return run


def test_a_repository_is_added_and_listed(on_data: Run, source: Path) -> None:
    added = on_data("repo", "add", "alice/hello", str(source))
    assert (added.code, added.out) == (0, "added alice/hello (id 1, branch trunk)\n")
    (listed,) = json.loads(on_data("repo", "list", "--json").out)
    assert (listed["full_name"], listed["private"]) == ("alice/hello", True)
    assert "alice/hello" in on_data("repo", "list").out


def test_a_place_without_a_database_is_told(on_data: Run, tmp_path: Path) -> None:
    told = f"there is no database in {tmp_path / 'data'} yet; --data DIR names another place"
    listed = on_data("repo", "list")
    assert (listed.code, told in listed.err) == (0, True)
    assert told not in on_data("repo", "list").err


def test_a_relative_path_and_a_public_repository(
    on_data: Run, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(source.parent)
    added = on_data("repo", "add", "alice/hello", "source", "--public", "--json")
    assert json.loads(added.out)["private"] is False


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("alice", "SOURCE"), 2),
        (("alice/hello.git", "SOURCE"), 2),
        (("alice/hello", "/nowhere"), 2),
        (("alice/hello", "DATA"), 2),
    ],
)
def test_what_is_no_repository_is_one_line(
    on_data: Run, source: Path, tmp_path: Path, arguments: tuple[str, str], code: int
) -> None:
    places = {"SOURCE": str(source), "DATA": str(tmp_path)}
    on_data("migrate")
    done = on_data("repo", "add", arguments[0], places.get(arguments[1], arguments[1]))
    assert done.code == code
    assert done.out == ""
    assert len(done.err.splitlines()) == 1
    assert json.loads(on_data("repo", "list", "--json").out) == []


def test_a_repository_is_shared_with_another_user(on_data: Run, source: Path) -> None:
    on_data("repo", "add", "alice/hello", str(source))
    for name in ("alice", "bob"):
        on_data("user", "create", name)
    granted = on_data("repo", "grant", "alice/hello", "bob", "read", "--json")
    assert json.loads(granted.out)["permission"] == "read"
    assert on_data("repo", "grant", "alice/hello", "bob").err.startswith("bob may now write")
    assert on_data("repo", "grant", "alice/hello", "bob", "none").code == 0
    audit = json.loads(on_data("audit", "--action", "repo", "--json").out)
    assert [(one["action"], one.get("data", {}).get("permission")) for one in audit[:3]] == [
        ("repo.remove_member", None),
        ("repo.add_member", "write"),
        ("repo.add_member", "read"),
    ]
    for arguments, code, says in (
        (("alice/nothing", "bob"), 1, "no repository 'alice/nothing'"),
        (("alice/hello", "nobody"), 1, "no user 'nobody'"),
        (("alice/hello", "bob", "all"), 2, "'all'"),
    ):
        refused = on_data("repo", "grant", *arguments)
        assert (refused.code, refused.out) == (code, "")
        assert says in refused.err


def test_a_repository_is_renamed_under_its_owner(on_data: Run, source: Path) -> None:
    for name in ("alice/hello", "alice/other"):
        on_data("repo", "add", name, str(source))
    renamed = on_data("repo", "rename", "alice/hello", "greeting")
    assert (renamed.code, renamed.out) == (0, "renamed alice/hello to alice/greeting\n")
    for arguments, code, says in (
        (("alice/nothing", "new"), 1, "no repository 'alice/nothing'"),
        (("alice/greeting", "other"), 1, "alice/other already"),
        (("alice/greeting", "bob/new"), 2, "'bob/new' is not a name"),
        (("alice/greeting", "new.git"), 2, "'new.git' is not a name"),
    ):
        refused = on_data("repo", "rename", *arguments)
        assert (refused.code, refused.out) == (code, "")
        assert says in refused.err
    listed = json.loads(on_data("repo", "list", "--json").out)
    assert {one["full_name"] for one in listed} == {"alice/greeting", "alice/other"}


def test_a_token_is_printed_alone_and_never_again(on_data: Run) -> None:
    made = on_data("token", "create", "--user", "alice", "--note", "ci", "--expires-days", "7")
    secret = made.out.strip()
    assert made.out == f"{secret}\n"
    assert secret.startswith("ghp_")
    listed = on_data("token", "list")
    assert secret not in listed.out + made.err
    assert f"…{secret[-8:]}" in listed.out
    assert "valid until" in listed.out


def test_a_token_tells_of_a_user_that_is_made_with_it(on_data: Run, source: Path) -> None:
    on_data("repo", "add", "carol/hello", str(source))
    for name, *flags, says in (
        ("alice", True),
        ("ALICE", False),
        ("carol", True),
        ("bob", "--create-user", True),
    ):
        made = on_data("token", "create", "--user", name, *flags, "--json")
        assert json.loads(made.out)["user"] == name.lower()
        assert (f"there was no user {name}; it was made" in made.err) is says


def test_a_mistyped_user_gets_no_token(on_data: Run) -> None:
    on_data("token", "create", "--user", "alice")
    for kind in ("classic", "fine-grained"):
        done = on_data("token", "create", "--user", "Alcie", "--kind", kind)
        assert (done.code, done.out) == (1, "")
        assert "There is no user 'Alcie'; did you mean 'alice'? `--create-user` makes one." in (
            done.err
        )
    assert [one["user"] for one in json.loads(on_data("token", "list", "--json").out)] == ["alice"]
    assert "alcie" not in on_data("user", "list").out.lower()


def test_a_token_lasts_no_longer_than_a_date_can_be(on_data: Run) -> None:
    done = on_data("token", "create", "--user", "alice", "--expires-days", "99999999999")
    assert done.code == 2
    assert "36500" in done.err


def test_a_revoked_token_stays_in_the_list(on_data: Run) -> None:
    made = json.loads(on_data("token", "create", "--user", "alice", "--json").out)
    assert on_data("token", "revoke", str(made["id"])).code == 0
    (listed,) = json.loads(on_data("token", "list", "--json").out)
    assert listed["revoked_at"] is not None
    assert "revoked" in on_data("token", "list").out
    missing = on_data("token", "revoke", "99")
    assert missing.code == 1
    assert "There is no token 99" in missing.err


def test_migrate_says_that_it_is_done(on_data: Run, tmp_path: Path) -> None:
    for _ in range(2):
        assert on_data("migrate").code == 0
    assert (tmp_path / "data" / "journeyman.db").exists()


def test_config_check_shows_origins_and_no_secret(
    on_data: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("JOURNEYMAN_SERVER_PORT", "9000")
    table = on_data("config-check").out
    assert "sk-secret" not in table
    assert "4 GiB" in table
    assert not (tmp_path / "data").exists()
    found = {s["key"]: s for s in json.loads(on_data("config-check", "--json").out)}
    assert found["server.port"] == {
        "key": "server.port",
        "value": 9000,
        "origin": "JOURNEYMAN_SERVER_PORT",
    }
    assert found["providers.openai.api_key"]["value"] == config.MASK
    assert found["data"]["origin"] == "command line"
