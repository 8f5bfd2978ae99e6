"""What the store promises about apps, grants, links and sessions, on each database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from journeyman.domain.oauth import App, AppKind, Consent, Device, DeviceState, Refresh
from journeyman.domain.principals import Principal, TokenKind
from journeyman.domain.repositories import Account, AccountType, Permission
from journeyman.service.logins import Logins
from journeyman.store import accounts, logins, oauth
from journeyman.store.database import Database
from tests.conftest import EACH_DATABASE

pytestmark = EACH_DATABASE

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
APP = App("Ov23li", "Gadget", AppKind.OAUTH, b"s", ("https://x/",), True, {"a": "read"}, NOW)


@pytest.fixture
async def alice(database: Database) -> Account:
    def fill(tx: sa.Connection) -> Account:
        oauth.add_app(tx, APP)
        return accounts.add_account(tx, "Alice", AccountType.USER, site_admin=False, now=NOW)

    return await database.write(fill)


def a_token(tx: sa.Connection, alice: Account, digest: bytes = b"t") -> int:
    new = accounts.NewToken(TokenKind.APP_USER, digest, "12345678", NOW, client_id=APP.client_id)
    return accounts.add_token(tx, alice, new)


async def test_an_app_is_found_until_it_is_removed_with_its_tokens(
    database: Database, alice: Account
) -> None:
    def check(tx: sa.Connection) -> None:
        token_id = a_token(tx, alice)
        assert oauth.find_app(tx, APP.client_id) == APP
        assert len(oauth.list_apps(tx)) == 3, "two are there from the beginning"
        assert oauth.remove_app(tx, APP.client_id, NOW)
        assert not oauth.remove_app(tx, APP.client_id, NOW)
        assert oauth.find_app(tx, APP.client_id) is None
        token = accounts.find_token_by_id(tx, token_id)
        assert token is not None
        assert token.revoked_at == NOW

    await database.write(check)


async def test_a_device_moves_on_once(database: Database, alice: Account) -> None:
    device = Device(b"d", APP.client_id, ("repo",), DeviceState.PENDING, None, LATER, None)

    def check(tx: sa.Connection) -> None:
        oauth.add_device(tx, device, b"u")
        assert oauth.find_device(tx, b"d") == oauth.find_device_of(tx, b"u") == device
        oauth.note_poll(tx, b"d", NOW)
        pending, approved = DeviceState.PENDING, DeviceState.APPROVED
        assert oauth.move_device(tx, b"d", pending, approved, alice)
        assert not oauth.move_device(tx, b"d", pending, DeviceState.DENIED, alice)
        found = oauth.find_device(tx, b"d")
        assert found is not None
        assert (found.account, found.state, found.polled_at) == (alice, approved, NOW)
        oauth.remove_expired(tx, LATER)
        assert oauth.find_device(tx, b"d") is not None
        oauth.remove_expired(tx, LATER + timedelta(seconds=1))
        assert oauth.find_device(tx, b"d") is None

    await database.write(check)


async def test_codes_and_refresh_tokens_are_used_once(database: Database, alice: Account) -> None:
    consent = Consent(APP.client_id, alice, ("repo",), "https://x/", "c", LATER, None)

    def check(tx: sa.Connection) -> None:
        oauth.add_code(tx, b"c", consent)
        assert oauth.find_code(tx, b"c") == consent
        assert oauth.use_code(tx, b"c", NOW)
        assert not oauth.use_code(tx, b"c", NOW)
        refresh = Refresh(a_token(tx, alice), True, LATER, None)
        oauth.add_refresh(tx, b"r", refresh)
        oauth.add_refresh(tx, b"s", refresh)
        assert oauth.find_refresh(tx, b"r") == refresh
        assert oauth.use_refresh(tx, b"r", NOW)
        assert not oauth.use_refresh(tx, b"r", NOW)
        oauth.forget_refresh_of(tx, refresh.token_id, NOW)
        assert not oauth.use_refresh(tx, b"s", NOW)

    await database.write(check)


async def test_attempts_are_counted_within_their_hour(database: Database) -> None:
    hour = timedelta(hours=1)

    def count(tx: sa.Connection, minutes: int) -> int:
        now = NOW + timedelta(minutes=minutes)
        return logins.count_attempt(tx, "k", now, now - hour)

    def check(tx: sa.Connection) -> None:
        assert [count(tx, minutes) for minutes in (0, 1, 59, 60, 61)] == [1, 2, 3, 1, 2]
        assert logins.count_attempt(tx, "other", NOW, NOW - hour) == 1

    await database.write(check)


async def test_links_and_sessions_end(database: Database, alice: Account) -> None:
    def check(tx: sa.Connection) -> None:
        assert not logins.anybody_logged_in(tx)
        logins.add_link(tx, b"l", alice.id, LATER)
        logins.add_link(tx, b"m", None, LATER)
        assert logins.find_link(tx, b"l", NOW) == (alice,)
        assert logins.find_link(tx, b"m", NOW) == (None,)
        assert logins.find_link(tx, b"l", LATER) is None
        assert logins.use_link(tx, b"l", NOW)
        assert not logins.use_link(tx, b"l", NOW)
        assert logins.find_link(tx, b"l", NOW) is None
        for digest in (b"1", b"2"):
            logins.add_session(tx, digest, alice.id, NOW, LATER)
        assert logins.anybody_logged_in(tx)
        assert logins.find_session(tx, b"1", NOW) == alice
        assert logins.find_session(tx, b"1", LATER) is None
        logins.end_session(tx, b"1", NOW)
        assert logins.find_session(tx, b"1", NOW) is None
        logins.end_sessions_of(tx, alice.id, NOW)
        assert logins.find_session(tx, b"2", NOW) is None
        logins.set_password(tx, alice.id, "h", NOW)
        logins.set_password(tx, alice.id, "i", NOW)
        assert logins.find_password(tx, alice.id) == "i"

    await database.write(check)


async def test_every_process_signs_with_the_same_key(database: Database) -> None:
    first = await Logins(database).key()
    assert len(first) == 32
    assert await Logins(database).key() == first


async def test_a_tokens_limits_come_back_and_count(database: Database, alice: Account) -> None:
    def check(tx: sa.Connection) -> None:
        ids = [
            accounts.add_repository(tx, alice, name, private=private, now=NOW)
            for name, private in (("one", True), ("two", True), ("open", False))
        ]
        new = accounts.NewToken(
            TokenKind.FINE_GRAINED, b"f", "12345678", NOW,
            permissions={"contents": "read"}, repository_ids=[ids[0]],
        )  # fmt: skip
        accounts.add_token(tx, alice, new)
        token = accounts.find_token(tx, b"f")
        assert token is not None
        assert token.repository_ids == frozenset(ids[:1])
        assert token.permissions == {"contents": "read"}
        principal = Principal(
            alice, token.kind, permissions=token.permissions, repository_ids=token.repository_ids
        )
        found = [accounts.permission_of(tx, principal, one) for one in (*ids, 99)]
        assert found == [Permission.ADMIN, Permission.NONE, Permission.READ, Permission.NONE]

    await database.write(check)
