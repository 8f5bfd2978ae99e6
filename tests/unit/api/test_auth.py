"""Credentials in every form that clients send."""

from __future__ import annotations

import base64

import pytest

from journeyman.api.auth import token_of
from journeyman.domain.errors import AppError, Code


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        "token ghp_x",
        "Bearer ghp_x",
        "bearer ghp_x",
        "TOKEN   ghp_x ",
        basic("x-access-token:ghp_x"),
        basic("octocat:ghp_x"),
        basic("ghp_x:x-oauth-basic"),
        basic("ghp_x:"),
        basic("ghp_x"),
        basic("ghp_x:").replace("Basic", "basic"),
    ],
)
def test_a_token_is_found_in_every_form(header: str) -> None:
    assert token_of(header) == "ghp_x"


def test_no_header_is_no_token() -> None:
    assert token_of("") is None
    assert token_of("  ") is None


@pytest.mark.parametrize(
    "header", ["ghp_x", "token", "Bearer ", "Digest x", "Basic", "Basic ???", basic(":")]
)
def test_anything_else_is_bad_credentials(header: str) -> None:
    with pytest.raises(AppError) as caught:
        token_of(header)
    assert caught.value.code is Code.UNAUTHENTICATED
    assert caught.value.message == "Bad credentials"
