"""What a pull request may become: reopened, rebased onto another, merged though a server died."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import httpx
import pytest

from journeyman.domain.artifacts import BranchArtifact
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.history import MergeMethod, MergePlan, Signature
from journeyman.domain.repositories import PullEnd, Repository
from journeyman.domain.sessions import State
from journeyman.forge.embedded.history import History
from journeyman.forge.embedded.merges import Merges
from journeyman.store import pulls
from journeyman.store.database import Database, sqlite_url
from tests.unit.api.conftest import TASKS, World, create
from tests.unit.api.test_pulls import PULLS, Work, propose, work

__all__ = ["work"]
NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture
def database(world: World) -> Iterator[Database]:
    """As another process has it."""
    made = Database(sqlite_url(world.data))
    yield made
    made.close()


async def test_one_is_not_reopened_beside_another(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    first = await propose(world, "topic")
    await alice.patch(f"{PULLS}/{first}", json={"state": "closed"})
    second = await propose(world, "topic")
    refused = await alice.patch(f"{PULLS}/{first}", json={"state": "open", "title": "No"})
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert error["message"] == (
        "state cannot be changed. There is already an open pull request from topic to main."
    )
    shown = (await alice.get(f"{PULLS}/{first}")).json()
    assert (shown["state"], shown["title"]) == ("closed", "Title of topic"), "nothing of it"
    await alice.patch(f"{PULLS}/{second}", json={"state": "closed"})
    answers = await asyncio.gather(
        *(alice.patch(f"{PULLS}/{one}", json={"state": "open"}) for one in (first, second))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 422]
    assert len((await alice.get(PULLS)).json()) == 1


async def test_a_base_is_not_changed_to_where_another_one_is_open(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    first = await propose(world, "topic")
    await alice.patch(f"{PULLS}/{first}", json={"base": "fix"})
    second = await propose(world, "topic")
    refused = await alice.patch(f"{PULLS}/{second}", json={"base": "fix"})
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["message"] == (
        "A pull request already exists for base branch 'fix' and head branch 'topic'."
    )
    same = await alice.patch(f"{PULLS}/{second}", json={"base": "main"})
    assert same.status_code == 200
    away = await alice.patch(f"{PULLS}/{second}", json={"base": "fix", "state": "closed"})
    assert (away.json()["state"], away.json()["base"]["ref"]) == ("closed", "fix")


async def test_one_whose_branch_is_gone_stays_closed(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    number = await propose(world, "topic")
    await alice.patch(f"{PULLS}/{number}", json={"state": "closed"})
    work.show("update-ref", "-d", "refs/heads/topic")
    refused = await alice.patch(f"{PULLS}/{number}", json={"state": "open"})
    assert refused.status_code == 422
    assert "The topic branch has been deleted" in refused.json()["errors"][0]["message"]


async def test_a_task_whose_pull_request_was_closed_gets_no_other(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    made = await create(alice, "Fix it")
    principal = await world.services.identity.authenticate(world.tokens["alice"])
    session = (await world.services.tasks.get(principal, made)).task.session
    work.commit(session.head_ref, {"new.txt": "1\n"}, "One")
    held = (await world.ledger.take(session.id)).session
    await world.ledger.begin(held, "a" * 40, NewEvent(EventType.SESSION_START, {}))
    await world.ledger.add_artifact(held, BranchArtifact(session.head_ref, "main"))
    await world.ledger.drain(held)
    await world.ledger.finish(held, State.COMPLETED)
    number = (await alice.post(f"{TASKS}/{made}/pulls")).json()["number"]
    await alice.patch(f"{PULLS}/{number}", json={"state": "closed"})
    refused = await alice.post(f"{TASKS}/{made}/pulls")
    assert refused.status_code == 422
    assert f"#{number} was closed" in refused.json()["errors"][0]["message"]
    assert len((await alice.get(f"{PULLS}?state=all")).json()) == 1


@pytest.mark.parametrize("method", list(MergeMethod))
async def test_a_merge_that_was_cut_off_is_finished_by_whoever_looks_next(
    world: World, alice: httpx.AsyncClient, work: Work, database: Database, method: MergeMethod
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    work.commit("main", {"other.txt": "1\n"}, "Elsewhere")
    number = await propose(world, "topic")
    principal = await world.services.identity.authenticate(world.tokens["alice"])
    access = await world.services.identity.access(principal, "octo", "hello")
    repository: Repository = access.repository
    merges = Merges(world.forge.path, History(world.forge.path), world.forge.upstreams)
    tips = await History(world.forge.path).tips(repository)
    alice_herself = Signature("alice", "alice@forge.test", NOW)
    plan = MergePlan("main", tips["main"], tips["topic"], method, "Merge", alice_herself)
    sha = await merges.prepare(repository, plan)
    end = PullEnd(NOW, tips["topic"], tips["main"], principal.account.id, sha)
    await database.write(
        partial(pulls.begin_merge, repository_id=repository.id, number=number, end=end)
    )
    # Killed here: nothing has happened yet.
    assert [pull["number"] for pull in (await alice.get(PULLS)).json()] == [number]
    assert (await alice.get(f"{PULLS}/{number}")).json()["mergeable"] is True
    await merges.carry_out(repository, plan, sha)
    # Killed here: the branch has moved, and the row does not say so.
    assert (await alice.get(PULLS)).json() == []
    shown = (await alice.get(f"{PULLS}/{number}")).json()
    assert (shown["merged"], shown["merge_commit_sha"]) == (True, sha)
    assert shown["merged_by"]["login"] == "alice"
    assert work.show("rev-parse", f"refs/pull/{number}/head").strip() == tips["topic"]
    assert (await alice.put(f"{PULLS}/{number}/merge")).status_code == 405
