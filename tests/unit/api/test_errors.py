"""Errors in GitHub's dialect for everything, and no framework default."""

from __future__ import annotations

import httpx
import pytest
from starlette.types import Send

from journeyman.api.errors import Boundary
from journeyman.api.headers import Headers
from journeyman.domain.errors import AppError, Code, FieldError, invalid, not_found
from tests.contract.openapi import validator
from tests.unit.api.conftest import TASKS, World

DOCS = "https://docs.github.com/rest"


async def answer(error: Exception, *, started: bool = False) -> httpx.Response:
    """What a client gets when the application raises *error*."""

    async def app(_scope: object, _receive: object, send: Send) -> None:
        if started:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    transport = httpx.ASGITransport(Headers(Boundary(app)))
    async with httpx.AsyncClient(transport=transport, base_url="http://forge.test") as client:
        return await client.get("/meta")


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (AppError(Code.BAD_REQUEST, "No."), 400, "No."),
        (AppError(Code.UNAUTHENTICATED, "Expired."), 401, "Bad credentials"),
        (AppError(Code.FORBIDDEN, "No write access."), 403, "No write access."),
        (not_found("There is no task x."), 404, "Not Found"),
        (invalid("model", "model 'x' is not configured."), 422, "Validation Failed"),
        (AppError(Code.INVALID, "Too much."), 422, "Too much."),
        (AppError(Code.CONFLICT, "The task has ended."), 422, "The task has ended."),
        (AppError(Code.UNAVAILABLE, "The forge is away."), 503, "The forge is away."),
        (RuntimeError("a secret detail"), 500, "Server Error"),
    ],
)
async def test_every_error_has_githubs_body(error: Exception, status: int, message: str) -> None:
    response = await answer(error)
    assert response.status_code == status
    assert response.json()["message"] == message
    assert response.json()["documentation_url"] == DOCS
    validator.check("GET", "/meta", response, also={status})


async def test_each_wrong_field_is_an_item() -> None:
    fields = (FieldError("a", "missing", "a is missing."), FieldError("b", "custom", "b is odd."))
    response = await answer(AppError(Code.INVALID, "a and b.", fields))
    assert response.json()["errors"] == [
        {"resource": "Task", "code": "missing", "message": "a is missing.", "field": "a"},
        {"resource": "Task", "code": "custom", "message": "b is odd.", "field": "b"},
    ]


async def test_a_conflict_is_unprocessable() -> None:
    """octokit would repeat a 409 three times."""
    (item,) = (await answer(AppError(Code.CONFLICT, "Ended."))).json()["errors"]
    assert item == {"resource": "Task", "code": "unprocessable", "message": "Ended."}


async def test_a_bug_is_logged_with_the_id_that_the_caller_sees(
    capsys: pytest.CaptureFixture[str],
) -> None:
    response = await answer(RuntimeError("a secret detail"))
    logged = capsys.readouterr().out
    assert response.headers["x-github-request-id"] in logged
    assert "a secret detail" in logged
    assert "secret" not in response.text


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/nothing"),
        ("GET", "/agents/tasks/"),
        ("GET", f"{TASKS}/"),
        ("GET", "//agents/tasks"),
        ("GET", "/api/v3/nothing"),
        ("GET", "/api/v3/api/v3/user"),
        ("DELETE", TASKS),
        ("POST", "/agents/tasks"),
        ("PUT", "/user"),
        ("PATCH", "/"),
        ("GET", "/agents/tasks/x/cancel"),
        ("TRACE", "/user"),
        ("GET", "/user%00"),
    ],
)
async def test_an_unknown_path_or_method_is_404_for_everybody(
    world: World, method: str, target: str
) -> None:
    for client in (world.client("alice"), world.client(None)):
        response = await client.request(method, target)
        assert response.status_code == 404
        assert response.json() == {
            "message": "Not Found",
            "documentation_url": DOCS,
            "status": "404",
        }


async def test_a_bug_after_the_start_breaks_the_answer_off() -> None:
    """A second start would be a bug of its own; the server closes the connection."""
    with pytest.raises(AssertionError):
        await answer(RuntimeError("late"), started=True)


async def test_a_broken_store_is_a_server_error(world: World) -> None:
    async def broken() -> bool:
        raise OSError("disk")

    client = world.client(None, of=world.application(ready=broken))
    response = await client.get("/readyz", extensions={"also": {500}})
    assert response.status_code == 500
