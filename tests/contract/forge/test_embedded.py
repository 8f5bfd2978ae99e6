"""What only the embedded forge does: its tokens' checksums, its directories."""

from pathlib import Path

import pytest

from journeyman.domain.errors import AppError
from journeyman.forge import ForgeError
from journeyman.forge.embedded import tokens
from tests.contract.forge.worlds import Embedded


async def test_a_token_that_was_never_issued_is_refused(embedded: Embedded) -> None:
    good = embedded.token("alice")
    typo = good[:-1] + ("0" if good[-1] != "0" else "1")
    for token in (tokens.mint("ghp_"), tokens.mint("ghr_"), typo):
        with pytest.raises(AppError, match=r"^Bad credentials$"):
            await embedded.forge.identify(token)
    assert embedded.records.touched == []


async def test_the_last_use_of_a_token_is_noted(embedded: Embedded) -> None:
    principal = await embedded.forge.identify(embedded.token("alice"))
    assert embedded.records.touched == [principal.token_id]
    assert principal.scopes == ("repo",)


async def test_missing_git_data_is_an_error_of_the_forge(embedded: Embedded) -> None:
    bare: Path = embedded.forge.path(embedded.app.id)
    (bare / "HEAD").unlink()
    with pytest.raises(ForgeError, match="alice/App is missing"):
        await embedded.forge.find_tip(embedded.actor("alice"), embedded.app, "main")
