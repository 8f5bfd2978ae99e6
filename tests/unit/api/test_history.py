"""Branches, refs and commits of the embedded forge."""

from __future__ import annotations

import httpx
import pytest

from tests.unit.api.conftest import World
from tests.unit.api.test_pulls import REPO, Work, work

__all__ = ["work"]


async def test_branches_are_listed_and_paged(alice: httpx.AsyncClient, work: Work) -> None:
    sha = work.commit("feature/long-name", {"x.txt": "x\n"}, "X")
    names = [b["name"] for b in (await alice.get(f"{REPO}/branches")).json()]
    assert names == ["feature/long-name", "fix", "main"]
    (second,) = (await alice.get(f"{REPO}/branches?per_page=1&page=2")).json()
    assert second["name"] == "fix"
    one = (await alice.get(f"{REPO}/branches/feature/long-name")).json()
    assert (one["name"], one["commit"]["sha"]) == ("feature/long-name", sha)
    assert (await alice.get(f"{REPO}/branches/feature%2Flong-name")).json() == one
    assert (await alice.get(f"{REPO}/branches/nowhere")).status_code == 404


async def test_refs_are_branches_by_their_full_name(alice: httpx.AsyncClient, work: Work) -> None:
    sha = work.show("rev-parse", "main").strip()
    ref = (await alice.get(f"{REPO}/git/ref/heads/main")).json()
    assert (ref["ref"], ref["object"]["sha"]) == ("refs/heads/main", sha)
    refs = (await alice.get(f"{REPO}/git/refs")).json()
    assert [one["ref"] for one in refs] == ["refs/heads/fix", "refs/heads/main"]
    matching = (await alice.get(f"{REPO}/git/matching-refs/heads/m")).json()
    assert matching == [ref]
    for name in ("main", "tags/main", "heads/nowhere"):
        assert (await alice.get(f"{REPO}/git/ref/{name}")).status_code == 404


async def test_a_commit_is_found_by_branch_and_by_id(
    alice: httpx.AsyncClient, mallory: httpx.AsyncClient, work: Work
) -> None:
    sha = work.show("rev-parse", "main").strip()
    found = [
        (await alice.get(f"{REPO}/commits/{ref}")).json()
        for ref in ("main", "heads/main", "refs/heads/main", sha, sha[:8])
    ]
    assert {one["sha"] for one in found} == {sha}
    assert found[0]["commit"]["message"] == "Two files"
    assert found[0]["stats"] == {"additions": 4, "deletions": 0, "total": 4}
    (parent,) = found[0]["parents"]
    first = (await alice.get(f"{REPO}/commits/{parent['sha']}")).json()
    assert (first["parents"], first["files"]) == ([], [])
    assert (await mallory.get(f"{REPO}/commits/main")).status_code == 404


@pytest.mark.parametrize(
    "ref", ["nowhere", "main@%7B1%7D", "main~1", "HEAD^", "--all", "main..fix", ":README.md", "%00"]
)
async def test_only_names_are_names(world: World, alice: httpx.AsyncClient, ref: str) -> None:
    assert (await alice.get(f"{REPO}/commits/{ref}")).status_code == 404
