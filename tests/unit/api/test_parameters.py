"""Query parameters in every spelling that clients send."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from journeyman.api import parameters
from journeyman.domain.errors import AppError, Code
from journeyman.domain.queries import Sort, TaskQuery
from journeyman.domain.sessions import State
from tests.unit.api.requests import request

NEW_YEAR = datetime(2025, 1, 1, tzinfo=UTC)


def query(text: str) -> TaskQuery:
    return parameters.repository_query(parameters.pairs_of(request(f"/?{text}")))


def test_nothing_asked_is_githubs_default() -> None:
    assert query("") == TaskQuery()


def test_every_parameter_is_read() -> None:
    asked = query(
        "page=3&per_page=100&sort=created_at&direction=asc&state=queued,idle&is_archived=true"
        "&since=2025-01-01T00:00:00Z&creator_id=7"
    )
    assert asked == TaskQuery(
        page=3,
        per_page=100,
        sort=Sort.CREATED_AT,
        ascending=True,
        states=frozenset({State.QUEUED, State.IDLE}),
        archived=True,
        since=NEW_YEAR,
        creator_ids=frozenset({7}),
    )


@pytest.mark.parametrize(
    "text",
    [
        "creator_id=1&creator_id=2",
        "creator_id%5B%5D=1&creator_id%5B%5D=2",
        "creator_id[]=1&creator_id[]=2",
        "creator_id=1%2C2",
        "creator_id=1,2",
    ],
)
def test_a_list_has_three_spellings(text: str) -> None:
    assert query(text).creator_ids == {1, 2}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2025-01-01T00:00:00Z", NEW_YEAR),
        ("2025-01-01+00%3A00%3A00%2B00%3A00", NEW_YEAR),
        ("2025-01-01T00:00:00+00:00", NEW_YEAR),
        ("2025-01-01T00%3A00%3A00.000Z", NEW_YEAR),
        ("2025-01-01T02:00:00%2B02:00", NEW_YEAR),
        ("2025-01-01T02:00:00+0200", NEW_YEAR),
        ("2025-01-01", NEW_YEAR),
        ("2025-01-01T00:00:00", NEW_YEAR),
        ("2025-01-01 00:00:00", NEW_YEAR),
        ("2025-01-01+00:00", NEW_YEAR),
    ],
)
def test_since_is_read_in_every_spelling(text: str, wanted: datetime) -> None:
    assert query(f"since={text}").since == wanted


def test_the_last_of_repeated_parameters_counts() -> None:
    assert query("page=2&page=5").page == 5


@pytest.mark.parametrize("text", ["state=", "creator_id=", "state=,"])
def test_an_empty_list_is_no_filter(text: str) -> None:
    assert query(text) == TaskQuery()


@pytest.mark.parametrize(("text", "wanted"), [("True", True), ("FALSE", False)])
def test_a_flag_is_read_in_any_case(text: str, *, wanted: bool) -> None:
    assert query(f"is_archived={text}").archived is wanted


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "0"),
        ("page", "-1"),
        ("page", "x"),
        ("page", ""),
        ("page", "1e3"),
        ("page", "٣"),
        ("page", "99999999999999999999"),
        ("per_page", "0"),
        ("per_page", "101"),
        ("sort", "updated"),
        ("sort", ""),
        ("direction", "down"),
        ("state", "open"),
        ("is_archived", "yes"),
        ("is_archived", "1"),
        ("since", "yesterday"),
        ("since", ""),
        ("since", "0001-01-01T00:00:00+23:59"),
        ("creator_id", "octocat"),
        ("creator_id", "9223372036854775808"),
        ("creator_id", "-5"),
    ],
)
def test_a_bad_value_is_named(name: str, value: str) -> None:
    with pytest.raises(AppError) as caught:
        query(f"{name}={value}")
    assert caught.value.code is Code.INVALID
    (problem,) = caught.value.fields
    assert (problem.field, problem.code) == (name, "invalid")
    assert repr(value.replace("+", " ")) in problem.message


def test_unknown_parameters_are_ignored() -> None:
    assert query("artifact_type=pull&q=1") == TaskQuery()


def test_the_own_list_does_not_know_creator_id() -> None:
    pairs = parameters.pairs_of(request("/?creator_id=x"))
    assert parameters.task_query(pairs) == TaskQuery()
