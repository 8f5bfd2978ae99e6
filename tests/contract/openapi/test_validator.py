"""The validator notices what real clients would stumble over."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.contract.openapi.validator import ContractError, check

TASKS = "/agents/repos/o/r/tasks"
HEADERS = {
    "content-type": "application/json; charset=utf-8",
    "x-github-request-id": "1",
    "x-github-media-type": "github.v3; format=json",
    "x-content-type-options": "nosniff",
    "vary": "Accept",
}
TASK: dict[str, Any] = {"id": "1", "state": "queued", "created_at": "2026-01-01T00:00:00Z"}
ERROR = {"message": "Not Found", "documentation_url": "https://x.test/rest", "status": "404"}


def answer(status: int, content: object, **headers: str) -> httpx.Response:
    sent = {**HEADERS, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return httpx.Response(status, json=content, headers=sent)


def test_a_good_answer_passes() -> None:
    check("POST", TASKS, answer(201, TASK))
    check("GET", f"/api/v3{TASKS}?page=1", answer(200, {"tasks": [TASK]}))
    check("POST", TASKS, answer(404, ERROR))
    check("GET", "/nothing", answer(404, ERROR))


@pytest.mark.parametrize(
    "change",
    [
        {"state": "done"},
        {"created_at": "yesterday"},
        {"archived_at": 5},
        {"custom_agent": None},
        {"artifacts": [{"provider": "github", "type": "pull", "data": {}}]},
        {
            "artifacts": [
                {
                    "provider": "github",
                    "type": "pull",
                    "data": {"id": 1, "head_ref": "a", "base_ref": "b"},
                }
            ]
        },
    ],
)
def test_a_wrong_task_fails(change: dict[str, object]) -> None:
    with pytest.raises(ContractError):
        check("POST", TASKS, answer(201, TASK | change))


def test_null_is_taken_where_the_description_is_nullable() -> None:
    check("POST", TASKS, answer(201, TASK | {"archived_at": None}))


@pytest.mark.parametrize(
    ("method", "path", "response"),
    [
        ("POST", TASKS, answer(200, TASK)),
        ("POST", TASKS, answer(409, ERROR | {"status": "409"})),
        ("GET", "/agents/tasks", answer(404, ERROR)),
        ("GET", TASKS, answer(500, ERROR | {"status": "500"})),
        ("GET", "/nothing", answer(200, {})),
        ("GET", TASKS, answer(404, {"detail": "Not Found"})),
        ("GET", TASKS, answer(404, ERROR | {"status": "400"})),
        ("GET", TASKS, answer(422, ERROR | {"status": "422", "errors": [{"code": "odd"}]})),
        ("GET", TASKS, answer(200, {"tasks": [], "total_count": 0})),
        ("GET", TASKS, answer(200, {"tasks": []}, content_type="text/html")),
        ("GET", TASKS, answer(200, {"tasks": []}, allow="GET")),
        ("GET", TASKS, answer(200, {"tasks": []}, link='<http://x/?a=1,2&page=1>; rel="next"')),
        ("GET", TASKS, answer(200, {"tasks": []}, link='<http://x/?a=1>; rel="next"')),
        ("GET", "/agents/models", answer(200, {"models": [{"id": 1}]})),
    ],
)
def test_a_wrong_answer_fails(method: str, path: str, response: httpx.Response) -> None:
    with pytest.raises(ContractError):
        check(method, path, response)


def test_a_test_may_provoke_a_status() -> None:
    check("GET", TASKS, answer(500, ERROR | {"status": "500"}), also={500})
