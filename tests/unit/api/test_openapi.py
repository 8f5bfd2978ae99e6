"""`/openapi.json` is complete and true, and `/docs` shows it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.routing import BaseRoute, Route

from journeyman.api import description, routes
from journeyman.api.oauth import TokenEndpoints
from journeyman.api.routing import Methods
from journeyman.domain.oauth import Failure
from journeyman.web.signin import SignIn
from tests.unit.api.conftest import World

PAGES = {("get", "/docs"), ("get", "/docs/viewer.css"), ("get", "/docs/viewer.js")}
"""For people; the description is about the rest."""
QUESTION = ("get", "/login/oauth/authorize")
"""A page, too, but apps make its address."""


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, described in description.document()["paths"].items():
        for method, operation in described.items():
            yield method, path, operation


def anonymous(path: str) -> str:
    """What a parameter is called differs; where it is does not."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def methods_of(served: BaseRoute) -> Iterator[tuple[str, str]]:
    assert isinstance(served, Route)
    assert isinstance(served.endpoint, Methods)
    for method in served.endpoint.endpoints:
        yield method.lower(), anonymous(served.path)


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from references(item)


async def test_every_route_is_described_and_every_description_served(world: World) -> None:
    table = routes.table(world.services, routes.Options(forge_secret="s"))
    served = {found for route in table for found in methods_of(route)}
    described = {(method, anonymous(path)) for method, path, _ in operations()}
    tokens = {("post", path) for path in TokenEndpoints(world.services.oauth).endpoints}
    assert served - PAGES | tokens | {QUESTION} == described
    assert SignIn(world.services).matches(QUESTION[1])


def test_every_operation_says_what_it_is_and_what_it_answers() -> None:
    for method, path, operation in operations():
        assert operation["summary"], (method, path)
        for status, response in operation["responses"].items():
            assert "$ref" in response or response["description"], (method, path, status)


def test_every_parameter_of_a_path_is_declared() -> None:
    document = description.document()
    for method, path, operation in operations():
        declared = set()
        for parameter in operation.get("parameters", []):
            if "$ref" in parameter:
                kind, name = parameter["$ref"].split("/")[-2:]
                parameter = document["components"][kind][name]
            if parameter["in"] == "path":
                assert parameter["required"]
                declared.add(parameter["name"])
        assert declared == set(re.findall(r"\{(\w+)\}", path)), (method, path)


def test_every_reference_leads_somewhere() -> None:
    document = description.document()
    for reference in set(references(document)):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            plain = step.replace("~1", "/").replace("~0", "~")
            found = found[plain.replace("%7B", "{").replace("%7D", "}")]


def test_the_errors_of_oauth_are_all_named() -> None:
    error = description.document()["components"]["schemas"]["oauth-error"]
    assert set(error["properties"]["error"]["enum"]) == set(Failure)


async def test_it_is_served_with_the_callers_own_address(anonymous: httpx.AsyncClient) -> None:
    for prefix in ("", "/api/v3"):
        served = (await anonymous.get(f"{prefix}/openapi.json")).json()
        assert served["servers"] == [{"url": f"http://forge.test{prefix}"}]
        assert served["paths"] == description.document()["paths"]


@pytest.mark.parametrize("prefix", ["", "/api/v3"])
async def test_the_page_has_all_it_needs_and_runs_nothing_inline(
    anonymous: httpx.AsyncClient, prefix: str
) -> None:
    undescribed = {"also": {200}}
    page = await anonymous.get(f"{prefix}/docs", extensions=undescribed)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert not [address for address in linked if ":" in address or address.startswith("/")]
    answers = await asyncio.gather(
        *(anonymous.get(f"{prefix}/{name}", extensions=undescribed) for name in set(linked))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert re.findall(r"<script(?![^>]* src=)|<style| on\w+=", page.text) == []
