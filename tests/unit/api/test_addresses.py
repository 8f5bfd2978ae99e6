"""Addresses are rebuilt from what the caller used."""

from __future__ import annotations

import pytest

from journeyman.api.exchange import addresses_of
from tests.unit.api.requests import request


def test_host_scheme_and_prefix_of_the_caller_are_used() -> None:
    asked = request(headers={"host": "[::1]:8080"}, scheme="https", root_path="/api/v3")
    found = addresses_of(asked.scope)
    assert found.api == "https://[::1]:8080/api/v3"
    assert found.web == "https://[::1]:8080"


def test_pages_are_not_on_the_api_host() -> None:
    found = addresses_of(request(headers={"host": "api.github.localhost"}).scope)
    assert found.api == "http://api.github.localhost"
    assert found.web == "http://github.localhost"


@pytest.mark.parametrize("host", ["a b", 'x"y', "evil/path", "user@host", ""])
def test_a_malformed_host_is_not_repeated(host: str) -> None:
    assert addresses_of(request(headers={"host": host}).scope).api == "http://127.0.0.1:8080"


def test_a_configured_address_wins() -> None:
    asked = request(root_path="/api/v3", public_url="https://agents.example")
    found = addresses_of(asked.scope)
    assert found.api == "https://agents.example/api/v3"
    assert found.web == "https://agents.example"
