"""Holds every response of the suite against the OpenAPI description and the rules beside it.

`check(method, path, response)` raises ContractError. An undocumented status fails unless the call
names it in *also* or it is one of DEVIATIONS. Knows nothing of the application: it sees what a
client sees.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any
from urllib.parse import quote

import httpx
import jsonschema_rs

from journeyman.api import description as openapi

PREFIX = "/api/v3"
DEVIATIONS = {
    # The description has no 404 here, though a repository can be unseen as anywhere else.
    ("post", "/agents/repos/{owner}/{repo}/tasks"): frozenset({404}),
}
EVERYWHERE = frozenset({304, 410})
"""A revalidated GET, and a version of the API that is gone."""
ERRORS = frozenset({400, 401, 403, 404, 422})
"""What any route may answer beside the five on tasks, whose description names every error."""
JSON = "application/json; charset=utf-8"
ERROR_BODY = {
    "type": "object",
    "required": ["message", "documentation_url", "status"],
    "additionalProperties": False,
    "properties": {
        "message": {"type": "string", "minLength": 1},
        "documentation_url": {"type": "string", "format": "uri"},
        "status": {"type": "string", "pattern": "^[45][0-9][0-9]$"},
        "errors": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["code"],
                "properties": {
                    "code": {
                        "enum": [
                            "missing",
                            "missing_field",
                            "invalid",
                            "already_exists",
                            "unprocessable",
                            "custom",
                        ]
                    }
                },
            },
        },
    },
}
REQUIRED_HEADERS = ("x-github-request-id", "x-github-media-type", "x-content-type-options", "vary")
LINK = re.compile(
    r'<[^<>, ]+[?&]page=\d+[^<>, ]*>; rel="(first|prev|next|last)"'
    r'|<[^<>, ]+[?&](after|cursor)=\d+>; rel="next"'
)
"""Pages have numbers, or begin behind an entry."""


class ContractError(AssertionError):
    """A response that a real client could not take."""


def check(method: str, path: str, response: httpx.Response, *, also: Collection[int] = ()) -> None:
    """*path* as requested. *also*: statuses that this test provokes."""
    where = f"{method.upper()} {path} -> {response.status_code}"
    route = path.partition("?")[0].removeprefix(PREFIX) or "/"
    try:
        check_headers(response)
        if method.lower() in ("options", "head") or response.status_code == 304:
            require(not response.content, "has a body")
            return
        template = find_template(method.lower(), route)
        check_status(method.lower(), template, response.status_code, also)
        check_body(method.lower(), template, response)
    except (AssertionError, jsonschema_rs.ValidationError) as error:
        raise ContractError(f"{where}: {error}") from error


def check_headers(response: httpx.Response) -> None:
    for name in REQUIRED_HEADERS:
        require(name in response.headers, f"has no {name}")
    require("allow" not in response.headers, "has a framework's Allow header")
    for part in filter(None, response.headers.get("link", "").split(", ")):
        require(LINK.fullmatch(part) is not None, f"has a bad Link: {part}")


def check_status(method: str, template: str | None, status: int, also: Collection[int]) -> None:
    if status in also or (status in EVERYWHERE):
        return
    if template is None:
        require(status == 404, "is not 404, though nothing is described there")
        return
    documented = {int(c) for c in operation(method, template)["responses"] if c != "default"}
    strict = template.startswith("/agents/") and documented & ERRORS
    documented |= DEVIATIONS.get((method, template), frozenset()) if strict else ERRORS
    require(status in documented, "is undocumented")


def check_body(method: str, template: str | None, response: httpx.Response) -> None:
    status, kind = response.status_code, response.headers.get("content-type", "")
    if status == 204:
        require(not response.content and not kind, "204 has a body")
        return
    schemas = [] if template is None else schemas_for(method, template, status)
    if schemas and not any(kind.partition(";")[0] == wanted for wanted, _ in schemas):
        raise ContractError(f"has the undocumented type {kind!r}")
    if status >= 400 and not is_health(template):
        require(kind == JSON, f"has the type {kind!r}")
        error_validator().validate(response.json())
        require(response.json()["status"] == str(status), "has another status in its body")
    if kind != JSON:
        return
    content = response.json()
    if isinstance(content, dict) and "tasks" in content:
        require("total_count" not in content, "has a total_count")
    for wanted, pointer in schemas:
        if wanted == "application/json":
            validator(pointer).validate(content)


def is_health(template: str | None) -> bool:
    return template in ("/healthz", "/readyz")


def require(condition: bool, message: str) -> None:
    if not condition:
        raise ContractError(message)


@cache
def description() -> dict[str, Any]:
    """What `/openapi.json` serves, in the dialect of JSON Schema."""
    whole: dict[str, Any] = without_nullable(openapi.document())
    return whole


def without_nullable(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` as a type of JSON Schema."""
    if isinstance(node, list):
        return [without_nullable(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {key: without_nullable(value) for key, value in node.items()}
    if changed.pop("nullable", None) is not True:
        return changed
    if "type" not in changed:
        return {"anyOf": [changed, {"type": "null"}]}
    changed["type"] = [changed["type"], "null"]
    if "enum" in changed:
        changed["enum"] = [*changed["enum"], None]
    return changed


@cache
def templates() -> list[tuple[re.Pattern[str], str]]:
    """The most literal first, so that a fixed part wins over a parameter."""
    paths = sorted(description()["paths"], key=lambda path: (path.count("{"), path))
    return [(pattern_of(path), path) for path in paths]


def pattern_of(path: str) -> re.Pattern[str]:
    """A branch's name may have slashes."""
    wide = re.sub(r"\\{(ref|branch)\\}", ".+", re.escape(path))
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", wide))


def find_template(method: str, route: str) -> str | None:
    for pattern, template in templates():
        if pattern.fullmatch(route) and method in description()["paths"][template]:
            return template
    return None


def operation(method: str, template: str) -> dict[str, Any]:
    found: dict[str, Any] = description()["paths"][template][method]
    return found


def schemas_for(method: str, template: str, status: int) -> list[tuple[str, str]]:
    """Each media type with the place of its schema in the description."""
    place = f"#/paths/{escaped(template)}/{method}/responses/{status}"
    response = operation(method, template)["responses"].get(str(status), {})
    if "$ref" in response:
        place = response["$ref"]
        response = description()["components"]["responses"][place.rpartition("/")[2]]
    return [
        (kind, f"{place}/content/{escaped(kind)}/schema") for kind in response.get("content", {})
    ]


def escaped(name: str) -> str:
    return quote(name.replace("~", "~0").replace("/", "~1"), safe="~")


@cache
def validator(pointer: str) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({**description(), "$ref": pointer}, validate_formats=True)


@cache
def error_validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(ERROR_BODY, validate_formats=True)
