"""schemathesis: requests made up from the description, and every answer held against it.

A short run in the suite; `make fuzz` makes 10,000 cases. In process, on real stores. Most cases
name things that exist, or nothing but 404 would be seen.

These checks are made: no 5xx, and status, headers, media type and body as described. Not made:

- positive_data_acceptance: `state` is any text to the description, and 422 to GitHub and to us;
- negative_data_rejection: GitHub tolerates unknown keys and takes null for absent, so do we;
- unsupported_method: it wants 405, GitHub and we answer 404;
- missing_required_header: there is none;
- ignored_auth: `tests/unit/api/test_authorization.py` has the whole matrix;
- the validator's rules for the token endpoints and the page that asks a user: their errors have
  status 200 or are pages, in GitHub's dialect of OAuth; the checks above are made there too;
- use_after_free, ensure_resource_availability: for runs that chain operations by links, which
  GitHub's description has not.
"""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as described

from journeyman import app
from journeyman.api import description
from journeyman.api.ratelimit import RateOptions
from tests.conformance.conftest import OWNER, REPO, Seeded, seed
from tests.conftest import configured
from tests.contract.openapi import validator

BASE = "http://forge.test"
OPERATIONS = sum(len(operations) for operations in description.document()["paths"].values())
CASES = int(os.environ.get("FUZZ_CASES", "400"))
JSON = {"Accept": "application/json"}
"""The token endpoints answer with a form where nothing is asked for."""
LOGIN = "/login/"
"""No part of the API, whose rules on headers and errors, beside the description, end there."""
CHECKS = [
    checks.not_a_server_error,
    described.status_code_conformance,
    described.content_type_conformance,
    described.response_headers_conformance,
    described.response_schema_conformance,
]
NAMES = {
    "owner": (OWNER, OWNER.upper()),
    "org": (OWNER, OWNER.upper()),
    "repo": (REPO, REPO.upper()),
    "pull_number": ("1", "2"),
    "ref": ("heads/main", "main", "fix"),
    "branch": ("main", "fix"),
    "name": ("SOME", "other"),
    "secret_name": ("SOME", "other"),
    "repository_id": ("1", "2"),
    "client_id": ("178c6fc778ccc68e1d6a",),
}

Case = schemathesis.Case[Any]

schema = schemathesis.openapi.from_dict(json.loads(json.dumps(description.document())))


@dataclass
class Target:
    """One application, on a loop that is kept from case to case."""

    runner: asyncio.Runner
    client: httpx.AsyncClient
    seeded: Seeded
    statuses: Counter[int] = field(default_factory=Counter)

    def send(self, case: Case) -> httpx.Response:
        prepared = requests.Request(**case.as_transport_kwargs(base_url=BASE)).prepare()
        made = {name: str(value) for name, value in prepared.headers.items()}
        content = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
        assert content is None or isinstance(content, bytes)
        request = self.client.build_request(
            prepared.method or "GET",
            prepared.url or BASE,
            headers={**made, **JSON, "Authorization": f"Bearer {self.seeded.tokens['root']}"},
            content=content,
        )
        response = self.runner.run(self.client.send(request))
        self.statuses[response.status_code] += 1
        return response


@pytest.fixture(scope="module")
def target(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Target]:
    place = tmp_path_factory.mktemp("fuzz")
    seeded = asyncio.run(seed(place))
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:
        made = runner.run(opened(place, stack))
        found = Target(runner, made, seeded)
        yield found
        runner.run(stack.aclose())
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\n{found.statuses.total()} cases: {dict(found.statuses)}")


async def opened(place: Path, stack: AsyncExitStack) -> httpx.AsyncClient:
    unlimited = RateOptions(per_hour=0, anonymous_per_hour=0, writes_per_minute=0)
    config = replace(configured(place / "data"), rate=unlimited)
    parts = await stack.enter_async_context(app.parts(config))
    application = app.asgi_app(parts, asyncio.Event())
    client = httpx.AsyncClient(transport=httpx.ASGITransport(application))
    return await stack.enter_async_context(client)


def named(case: Case, seeded: Seeded) -> None:
    """Seven cases of eight are about something that is there."""
    parameters: dict[str, Any] = case.path_parameters or {}
    known = {**NAMES, "task_id": (seeded.finished, seeded.archived)}
    pick = zlib.crc32(repr((parameters, case.query, case.body)).encode("utf-8", "replace"))
    if pick % 8:
        for name in parameters.keys() & known.keys():
            parameters[name] = known[name][pick // 8 % len(known[name])]


@schema.parametrize()
@settings(
    max_examples=max(1, CASES // OPERATIONS),
    deadline=None,
    database=None,
    derandomize=CASES < 1000,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_described(case: Case, target: Target) -> None:
    named(case, target.seeded)
    response = target.send(case)
    case.validate_response(response, checks=CHECKS)
    if case.path.startswith(LOGIN):
        return
    also = {404} if response.status_code == 404 else ()
    validator.check(case.method, response.request.url.raw_path.decode(), response, also=also)
