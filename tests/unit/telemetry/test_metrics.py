"""Which metrics there are, who may read them, and what counts as what."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from prometheus_client import Counter, Gauge, Histogram
from starlette.types import Receive, Scope, Send

from journeyman.api.exchange import new_request_id
from journeyman.api.metrics import Metrics
from journeyman.service.readings import Readings, used
from journeyman.store.database import Database
from journeyman.telemetry import metrics
from journeyman.telemetry.requests import Observed
from tests.conftest import EACH_DATABASE, World

DOCS = Path(__file__).parents[3] / "docs" / "operations.md"


@asynccontextmanager
async def reader(token: str = "", client: str = "127.0.0.1") -> AsyncIterator[httpx.AsyncClient]:
    async def refresh() -> None:
        pass

    app = Observed(Metrics(refresh, token=token), new_request_id)
    transport = httpx.ASGITransport(app, client=(client, 1234))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as opened:
        yield opened


def test_the_documentation_lists_every_metric() -> None:
    listed = re.findall(r"^\| `(journeyman_\w+)` \| ([^|]*) \|", DOCS.read_text(), re.MULTILINE)
    ours = {
        (family.name + ("_total" if family.type == "counter" else ""), metric._labelnames)
        for metric in vars(metrics).values()
        if isinstance(metric, Counter | Gauge | Histogram)
        for family in metric.describe()
    }
    assert {(name, tuple(re.findall(r"`(\w+)`", labels))) for name, labels in listed} == ours


@pytest.mark.parametrize("client", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.8.0.1"])
async def test_this_machine_may_read_them(client: str) -> None:
    async with reader(client=client) as here:
        answer = await here.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "journeyman_sessions" in answer.text


@pytest.mark.parametrize("client", ["10.0.0.7", "::ffff:10.0.0.7", "testclient", "8.8.8.8"])
async def test_another_machine_may_not(client: str) -> None:
    async with reader(client=client) as there:
        answer = await there.get("/metrics")
    assert answer.status_code == 403
    assert "metrics.token" in answer.text


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"])
async def test_a_proxy_on_this_machine_speaks_for_others(header: str) -> None:
    async with reader() as proxied:
        assert (await proxied.get("/metrics", headers={header: "127.0.0.1"})).status_code == 403


async def test_a_token_lets_any_machine_read_them_and_nobody_without_it() -> None:
    async with reader("s3cret", client="10.0.0.7") as there:
        right = await there.get("/metrics", headers={"Authorization": "Bearer s3cret"})
        wrong = await there.get("/metrics", headers={"Authorization": "Bearer s3cre"})
        umlaut = await there.get("/metrics", headers=[(b"Authorization", "Bearer ü".encode())])
    assert [right.status_code, wrong.status_code, umlaut.status_code] == [200, 401, 401]
    async with reader("s3cret") as here:
        assert (await here.get("/metrics")).status_code == 401


async def test_nothing_else_is_served_beside_them() -> None:
    async with reader() as here:
        assert (await here.get("/metrics/x")).status_code == 404
        assert (await here.post("/metrics")).status_code == 404


async def test_what_a_client_writes_is_no_label() -> None:
    async with reader() as here:
        await here.request("BREW", "/pot/of/tea-7f3a")
    text = "\n".join(map(str, metrics.REGISTRY.collect()))
    assert "BREW" not in text
    assert "tea-7f3a" not in text
    assert metrics.REQUESTS.labels("_OTHER", "other", "404")._value.get() >= 1


@EACH_DATABASE
async def test_a_scrape_counts_the_sessions(world: World, database: Database) -> None:
    await world.parts.readings.refresh()
    assert metrics.DATABASE_UP._value.get() == 1
    assert metrics.SESSIONS.labels("queued")._value.get() == 0
    assert metrics.QUEUE_OLDEST._value.get() == 0


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none"])
async def test_a_scrape_without_database_says_so(url: str, tmp_path: Path) -> None:
    away = Database(url)
    await Readings(away, tmp_path, {}).refresh()
    away.close()
    assert metrics.DATABASE_UP._value.get() == 0


async def test_the_disk_is_told_by_what_uses_it(world: World) -> None:
    found = await world.parts.readings.disk()
    assert set(found.parts) == {
        "database", "checkpoints", "repositories", "mirrors", "bases", "caches", "workspaces",
    }  # fmt: skip
    assert found.parts["repositories"] > 0
    assert found.parts["database"] > 0
    assert found.parts["workspaces"] == 0
    assert found.free > 0


def test_a_hard_link_takes_its_place_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"x" * 100_000)
    alone = used(tmp_path)
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert used(tmp_path) == alone >= 100_000


def test_every_histogram_of_work_says_how_it_ended() -> None:
    named = [one for one in vars(metrics).values() if isinstance(one, Histogram)]
    timed = [one for one in named if one not in (metrics.REQUEST, metrics.QUEUE_WAIT)]
    assert timed
    assert all(one._labelnames[-1] == "outcome" for one in timed)


async def test_a_request_that_fails_without_an_answer_is_counted() -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("a bug")

    series = ("GET", "other", "500")
    before = metrics.REQUESTS.labels(*series)._value.get()
    transport = httpx.ASGITransport(Observed(broken, new_request_id))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
        with pytest.raises(RuntimeError):
            await client.get("/x")
    assert metrics.REQUESTS.labels(*series)._value.get() == before + 1
