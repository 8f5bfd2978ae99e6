"""Tokens in GitHub's shape."""

import hashlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.forge.embedded import tokens

LENGTHS = {"ghp_": 40, "gho_": 40, "ghu_": 40, "ghs_": 40, "ghr_": 80, "github_pat_": 93}


def test_the_published_example_has_its_published_checksum() -> None:
    assert tokens.checksum("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ") == "0mLq17"
    assert tokens.wellformed("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")


@pytest.mark.parametrize(("prefix", "length"), LENGTHS.items())
def test_a_new_token_has_its_prefix_its_length_and_a_checksum_that_fits(
    prefix: str, length: int
) -> None:
    token = tokens.mint(prefix)
    assert token.startswith(prefix)
    assert len(token) == length
    assert set(token) <= set(string.ascii_letters + string.digits + "_")
    assert tokens.wellformed(token)
    assert tokens.mint(prefix) != token


@pytest.mark.parametrize("prefix", LENGTHS)
def test_any_typo_is_noticed(prefix: str) -> None:
    token = tokens.mint(prefix)
    for place in range(len(prefix), len(token)):
        other = "A" if token[place] != "A" else "B"
        assert not tokens.wellformed(token[:place] + other + token[place + 1 :])
    assert not tokens.wellformed(token[:-1])
    assert not tokens.wellformed(token + "A")


def test_an_unknown_prefix_is_not_minted() -> None:
    with pytest.raises(KeyError):
        tokens.mint("glpat-")


@settings(database=None)
@given(st.text())
def test_no_text_makes_the_check_fail(text: str) -> None:
    assert not tokens.wellformed(text)
    assert not tokens.wellformed("ghp_" + text) or text
    assert len(tokens.digest(text)) == 32


def test_what_is_stored_is_the_sha256() -> None:
    assert tokens.digest("ghp_x") == hashlib.sha256(b"ghp_x").digest()
