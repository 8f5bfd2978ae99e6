"""Request bodies: GitHub's 400 and 422."""

from __future__ import annotations

import pytest

from journeyman.api import body, tasks
from journeyman.api.tasks import CreateTask
from journeyman.domain.errors import AppError, Code
from journeyman.domain.limits import NONE_GIVEN, Limits
from journeyman.domain.tasks import NewTask
from tests.unit.api.requests import request


async def read(*chunks: bytes) -> CreateTask:
    return await body.read(request(chunks=chunks), CreateTask)


async def refused(*chunks: bytes) -> AppError:
    with pytest.raises(AppError) as caught:
        tasks.new_task(await read(*chunks))
    return caught.value


async def test_a_whole_body_becomes_a_new_task() -> None:
    asked = await read(
        b'{"prompt": "Fix it", "model": "auto", "custom_agent": "x", "create_pull_request": true,',
        b'"base_ref": "main", "head_ref": "fix", "unknown": [1]}',
    )
    assert tasks.new_task(asked) == NewTask("Fix it", "auto", "x", True, "main", "fix")


async def test_limits_are_as_given_and_null_is_absent() -> None:
    given = b'{"prompt": "x", "limits": {"minutes": 5, "steps": 0, "credits": 1.5, "tokens": null}}'
    assert tasks.new_task(await read(given)).limits == Limits(5, 0, None, 1.5)
    for nothing in (b'{"prompt": "x", "limits": null}', b'{"prompt": "x", "limits": {}}'):
        assert tasks.new_task(await read(nothing)).limits == NONE_GIVEN


@pytest.mark.parametrize("value", [b"-1", b"1000000000000", b"1" + b"0" * 400])
async def test_a_limit_out_of_bounds_is_named(value: bytes) -> None:
    for name in (b"minutes", b"steps"):
        error = await refused(b'{"prompt": "x", "limits": {"%b": %b}}' % (name, value))
        assert error.code is Code.INVALID
        assert [item.field for item in error.fields] == [f"limits.{name.decode()}"]


async def test_null_and_empty_are_absent() -> None:
    asked = await read(b'{"prompt": "Fix it", "model": null, "base_ref": "", "head_ref": null}')
    assert tasks.new_task(asked) == NewTask("Fix it")


@pytest.mark.parametrize("name", ["problem_statement", "event_content"])
async def test_the_editors_names_stand_in_for_prompt(name: str) -> None:
    assert tasks.new_task(await read(f'{{"{name}": "Fix it"}}'.encode())).prompt == "Fix it"
    both = await read(f'{{"{name}": "other", "prompt": "Fix it"}}'.encode())
    assert tasks.new_task(both).prompt == "Fix it"


@pytest.mark.parametrize(
    "content",
    [b"{", b'{"prompt": "x"', b"prompt=x", b"\xff", b'{"prompt": "\xff"}', b"[" * 100_000, b"NaN"],
)
async def test_wrong_json_is_a_bad_request(content: bytes) -> None:
    error = await refused(content)
    assert (error.code, error.message) == (Code.BAD_REQUEST, "Problems parsing JSON")


@pytest.mark.parametrize("content", [b"[]", b'"text"', b"null", b"1"])
async def test_another_value_than_an_object_is_a_bad_request(content: bytes) -> None:
    error = await refused(content)
    assert (error.code, error.message) == (Code.BAD_REQUEST, "Body should be a JSON object")


@pytest.mark.parametrize("content", [b"", b"  ", b"{}", b'{"prompt": null}'])
async def test_a_missing_prompt_is_named_as_github_does(content: bytes) -> None:
    error = await refused(content)
    assert error.message == 'Invalid request.\n\n"prompt" wasn\'t supplied.'
    assert [(item.field, item.code) for item in error.fields] == [("prompt", "missing_field")]


@pytest.mark.parametrize(
    ("content", "field", "message"),
    [
        (b'{"prompt": 5}', "prompt", "For 'properties/prompt', 5 is not a string."),
        (b'{"prompt": ["x"]}', "prompt", "For 'properties/prompt', [\"x\"] is not a string."),
        (
            b'{"prompt": "x", "create_pull_request": "true"}',
            "create_pull_request",
            "For 'properties/create_pull_request', \"true\" is not a boolean.",
        ),
        (b'{"prompt": "x", "limits": 5}', "limits", "For 'properties/limits', 5 is not an object."),
        (
            b'{"prompt": "x", "limits": {"minutes": "5"}}',
            "limits.minutes",
            "For 'properties/limits/minutes', \"5\" is not a number.",
        ),
        (
            b'{"prompt": "x", "limits": {"steps": 1.5}}',
            "limits.steps",
            "For 'properties/limits/steps', 1.5 is not an integer.",
        ),
        (
            b'{"prompt": "x", "limits": {"a\\n`b": 5}}',
            "limits",
            "For 'properties/limits', {\"a\\n`b\":5} has a key 'a\\n`b' that is not known.",
        ),
    ],
)
async def test_a_wrong_type_names_field_and_value(content: bytes, field: str, message: str) -> None:
    error = await refused(content)
    assert error.code is Code.INVALID
    assert error.message == f"Invalid request.\n\n{message}"
    assert [(item.field, item.code) for item in error.fields] == [(field, "invalid")]


@pytest.mark.parametrize("content", [b'{"prompt": ""}', b'{"prompt": " \\n"}'])
async def test_an_empty_prompt_is_invalid(content: bytes) -> None:
    error = await refused(content)
    assert error.code is Code.INVALID
    assert [(item.field, item.code) for item in error.fields] == [("prompt", "missing_field")]


async def test_a_nul_is_refused_before_a_store_sees_it() -> None:
    error = await refused(b'{"prompt": "a\\u0000b"}')
    assert [(item.field, item.code) for item in error.fields] == [("prompt", "invalid")]


async def test_a_body_over_the_limit_is_read_to_its_end_and_refused() -> None:
    chunk = b" " * (body.LIMIT // 2)
    error = await refused(chunk, chunk, chunk)
    assert error.code is Code.INVALID
    assert str(3 * len(chunk)) in error.message
