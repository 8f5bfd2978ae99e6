"""`/repos/{owner}/{repo}/pulls` of the embedded forge, on real git data."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from journeyman.domain.artifacts import BranchArtifact
from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.principals import Actor
from journeyman.domain.sessions import State
from journeyman.forge import NewPull
from tests.conftest import git
from tests.unit.api.conftest import TASKS, World, create

REPO = "/repos/octo/hello"
PULLS = f"{REPO}/pulls"


class Work:
    """A clone whose branches are pushed past the API, straight into the forge's data."""

    def __init__(self, world: World, path: Path) -> None:
        self.path = path
        self.bare = next(iter(sorted((world.data / "repositories").glob("*.git"))))
        git("clone", "-q", str(self.bare), str(path), cwd=path.parent)

    def commit(self, branch: str, files: dict[str, str], message: str) -> str:
        """Onto *branch*, which starts at main; the commit's id."""
        known = git("branch", "--list", branch, cwd=self.path).strip()
        git("checkout", "-q", *([branch] if known else ["-b", branch, "main"]), cwd=self.path)
        for name, content in files.items():
            (self.path / name).write_text(content)
        git("add", "-A", cwd=self.path)
        git("commit", "-qm", message, cwd=self.path)
        git("push", "-q", "origin", branch, cwd=self.path)
        return git("rev-parse", "HEAD", cwd=self.path).strip()

    def show(self, *arguments: str) -> str:
        return git(f"--git-dir={self.bare}", *arguments, cwd=self.path)


@pytest.fixture
def work(world: World, tmp_path: Path) -> Work:
    made = Work(world, tmp_path / "clone")
    made.commit("main", {"README.md": "# hello\n", "old.txt": "a\nb\nc\n"}, "Two files")
    return made


async def propose(world: World, head: str, *, draft: bool = False, user: str = "alice") -> int:
    principal = await world.services.identity.authenticate(world.tokens[user])
    access = await world.services.identity.access(principal, "octo", "hello")
    new = NewPull(f"Title of {head}", "What and why", head, "main", draft)
    pull = await world.forge.open_pull(Actor(principal.account), access.repository, new)
    return pull.number


async def test_one_is_complete_and_true(world: World, alice: httpx.AsyncClient, work: Work) -> None:
    base = work.show("rev-parse", "main").strip()
    work.commit("topic", {"README.md": "# hi\n"}, "Greet shorter")
    head = work.commit("topic", {"new.txt": "1\n2\n"}, "Count")
    number = await propose(world, "topic")
    response = await alice.get(f"{PULLS}/{number}")
    pull = response.json()
    assert (pull["state"], pull["merged"], pull["mergeable"]) == ("open", False, True)
    assert (pull["commits"], pull["additions"], pull["deletions"]) == (2, 3, 1)
    assert (pull["head"]["label"], pull["head"]["sha"]) == ("octo:topic", head)
    assert (pull["base"]["ref"], pull["base"]["sha"]) == ("main", base)
    assert pull["user"]["login"] == "alice"
    assert pull["_links"]["self"]["href"] == f"http://forge.test{PULLS}/{number}"


async def test_what_came_to_the_base_meanwhile_is_not_the_heads_work(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "Count")
    work.commit("main", {"other.txt": "x\n"}, "Elsewhere")
    number = await propose(world, "topic")
    (file,) = (await alice.get(f"{PULLS}/{number}/files")).json()
    assert (file["filename"], file["status"], file["patch"]) == (
        "new.txt",
        "added",
        "@@ -0,0 +1 @@\n+1",
    )
    (commit,) = (await alice.get(f"{PULLS}/{number}/commits")).json()
    assert commit["commit"]["message"] == "Count"


async def test_files_are_told_by_what_became_of_them(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    (work.path / "old.txt").unlink()
    (work.path / "data.bin").write_bytes(b"\0\1\2")
    work.commit("topic", {"ne w é.txt": "a\nb\nc\n", "README.md": "# hello\nmore\n"}, "Move")
    number = await propose(world, "topic")
    files = {f["filename"]: f for f in (await alice.get(f"{PULLS}/{number}/files")).json()}
    assert {name: f["status"] for name, f in files.items()} == {
        "README.md": "modified",
        "data.bin": "added",
        "ne w é.txt": "renamed",
    }
    assert files["ne w é.txt"]["previous_filename"] == "old.txt"
    assert "patch" not in files["data.bin"]
    paged = await alice.get(f"{PULLS}/{number}/files?per_page=2&page=2")
    assert [f["filename"] for f in paged.json()] == ["ne w é.txt"]


async def test_one_is_opened_between_two_branches(
    alice: httpx.AsyncClient, bob: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    new = {"title": "Count", "head": "octo:topic", "base": "main", "draft": True}
    made = await alice.post(PULLS, json=new)
    assert (made.status_code, made.json()["number"], made.json()["draft"]) == (201, 1, True)
    assert made.headers["location"] == made.json()["url"]
    again = await alice.post(PULLS, json=new)
    assert again.status_code == 422
    assert "already exists for octo:topic" in again.json()["errors"][0]["message"]
    for field in ("title", "head", "base"):
        bad = await alice.post(PULLS, json={**new, field: None})
        assert bad.json()["errors"][0]["field"] == field
    assert (await alice.post(PULLS, json={**new, "head": "nowhere"})).status_code == 422
    assert (await bob.post(PULLS, json=new)).status_code == 403


async def test_diff_and_patch_are_media_types(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"README.md": "# hi\n"}, "Greet shorter")
    target = f"{PULLS}/{await propose(world, 'topic')}"
    diff = await alice.get(target, headers={"Accept": "application/vnd.github.v3.diff"})
    assert diff.headers["content-type"] == "application/vnd.github.diff; charset=utf-8"
    assert diff.text.startswith("diff --git a/README.md b/README.md")
    patch = await alice.get(target, headers={"Accept": "application/vnd.github.patch"})
    assert "Subject: [PATCH] Greet shorter" in patch.text


async def test_lists_filter_sort_and_page(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    for branch in ("one", "two", "three"):
        work.commit(branch, {f"{branch}.txt": "x\n"}, branch)
        await propose(world, branch)
    await alice.patch(f"{PULLS}/2", json={"state": "closed"})
    heads = [p["head"]["ref"] for p in (await alice.get(PULLS)).json()]
    assert heads == ["three", "one"]
    assert len((await alice.get(f"{PULLS}?state=all")).json()) == 3
    assert [p["number"] for p in (await alice.get(f"{PULLS}?state=closed")).json()] == [2]
    assert [p["number"] for p in (await alice.get(f"{PULLS}?head=octo:one")).json()] == [1]
    assert (await alice.get(f"{PULLS}?base=other")).json() == []
    first = await alice.get(f"{PULLS}?per_page=1&direction=asc")
    assert [p["number"] for p in first.json()] == [1]
    assert 'rel="next"' in first.headers["link"]
    assert (await alice.get(f"{PULLS}?state=merged")).status_code == 422


async def test_merging_makes_a_commit_of_both(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "Count")
    work.commit("main", {"other.txt": "x\n"}, "Elsewhere")
    number = await propose(world, "topic")
    assert (await alice.get(f"{PULLS}/{number}/merge")).status_code == 404
    response = await alice.put(f"{PULLS}/{number}/merge", json={"commit_message": "Because."})
    assert response.status_code == 200
    sha = response.json()["sha"]
    assert work.show("rev-parse", "main").strip() == sha
    assert work.show("log", "-1", "--format=%B", "main").strip() == (
        f"Merge pull request #{number} from octo/topic\n\nBecause."
    )
    assert len(work.show("rev-list", "--parents", "-1", "main").split()) == 3
    assert work.show("ls-tree", "--name-only", "main").split() == [
        "README.md",
        "new.txt",
        "old.txt",
        "other.txt",
    ]
    assert (await alice.get(f"{PULLS}/{number}/merge")).status_code == 204
    pull = (await alice.get(f"{PULLS}/{number}")).json()
    assert (pull["state"], pull["merged"], pull["merge_commit_sha"]) == ("closed", True, sha)
    assert pull["merged_by"]["login"] == "alice"
    assert (pull["commits"], pull["changed_files"]) == (1, 1)


async def test_squashing_makes_one_commit_and_survives_the_branch(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    work.commit("topic", {"new.txt": "1\n2\n"}, "Two")
    number = await propose(world, "topic")
    merged = await alice.put(f"{PULLS}/{number}/merge", json={"merge_method": "squash"})
    assert merged.status_code == 200
    assert work.show("log", "-1", "--format=%B", "main").strip() == (
        f"Title of topic (#{number})\n\n* One\n\n* Two"
    )
    git("push", "-q", "origin", ":topic", cwd=work.path)
    assert (await alice.get(f"{PULLS}/{number}")).json()["commits"] == 2
    assert work.show("rev-parse", f"refs/pull/{number}/head")


async def test_rebasing_keeps_each_commit_and_its_author(
    world: World, alice: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    work.commit("topic", {"new.txt": "1\n2\n"}, "Two")
    work.commit("main", {"other.txt": "x\n"}, "Elsewhere")
    number = await propose(world, "topic")
    merged = await alice.put(f"{PULLS}/{number}/merge", json={"merge_method": "rebase"})
    assert merged.status_code == 200
    told = work.show("log", "-3", "--format=%s %an %cn", "main").splitlines()
    assert told == ["Two Alice alice", "One Alice alice", "Elsewhere Alice Alice"]
    assert work.show("show", "main:new.txt") == "1\n2\n"


async def test_what_cannot_be_merged_changes_nothing(
    world: World, alice: httpx.AsyncClient, bob: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"README.md": "# one\n"}, "One")
    before = work.commit("main", {"README.md": "# two\n"}, "Two")
    number = await propose(world, "topic")
    target = f"{PULLS}/{number}/merge"
    pull = (await alice.get(f"{PULLS}/{number}")).json()
    assert (pull["mergeable"], pull["mergeable_state"]) == (False, "dirty")
    for method in ("merge", "squash", "rebase"):
        response = await alice.put(target, json={"merge_method": method})
        assert (response.status_code, response.json()["message"]) == (
            405,
            "Pull Request is not mergeable",
        )
    assert (await alice.put(target, json={"sha": "f" * 40})).status_code == 409
    assert (await alice.put(target, json={"merge_method": "octopus"})).status_code == 422
    assert (await bob.put(target)).status_code == 403
    assert (await alice.put(f"{PULLS}/99/merge")).status_code == 404
    assert work.show("rev-parse", "main").strip() == before


async def test_a_draft_is_not_merged(world: World, alice: httpx.AsyncClient, work: Work) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    number = await propose(world, "topic", draft=True)
    response = await alice.put(f"{PULLS}/{number}/merge")
    assert (response.status_code, response.json()["message"]) == (
        405,
        "Pull Request is still a draft",
    )


async def test_title_body_and_state_change(
    world: World, alice: httpx.AsyncClient, bob: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    target = f"{PULLS}/{await propose(world, 'topic')}"
    changed = await alice.patch(target, json={"title": "New", "body": "", "state": "closed"})
    assert (changed.json()["title"], changed.json()["body"]) == ("New", "")
    assert changed.json()["closed_at"]
    for state in ("closed", "open", "open"):
        assert (await alice.patch(target, json={"state": state})).json()["state"] == state
    assert (await alice.patch(target, json={"state": "ajar"})).status_code == 422
    assert (await alice.patch(target, json={"base": "nowhere"})).status_code == 422
    assert (await alice.patch(target, json={"title": ""})).status_code == 422
    assert (await bob.patch(target, json={"title": "x"})).status_code == 403


async def test_what_is_merged_stays_so(world: World, alice: httpx.AsyncClient, work: Work) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    target = f"{PULLS}/{await propose(world, 'topic')}"
    await alice.put(f"{target}/merge")
    assert (await alice.patch(target, json={"state": "open"})).status_code == 422
    assert (await alice.put(f"{target}/merge")).status_code == 405


async def test_strangers_and_odd_numbers_find_nothing(
    world: World, alice: httpx.AsyncClient, mallory: httpx.AsyncClient, work: Work
) -> None:
    work.commit("topic", {"new.txt": "1\n"}, "One")
    number = await propose(world, "topic")
    for path in (PULLS, f"{PULLS}/{number}", f"{PULLS}/{number}/files"):
        assert (await mallory.get(path)).status_code == 404
    for odd in ("0", "x", "99", "9" * 30):
        assert (await alice.get(f"{PULLS}/{odd}")).status_code == 404


async def test_there_is_nothing_to_wait_for_after_an_end_without_a_branch(
    alice: httpx.AsyncClient,
) -> None:
    made = await create(alice, "Fix it")
    await alice.post(f"/agents/tasks/{made}/cancel")
    refused = await alice.post(f"{TASKS}/{made}/pulls")
    assert refused.status_code == 422
    assert "has made no branch" in refused.json()["message"]


async def test_the_pull_request_of_a_task_is_opened_once(
    world: World, alice: httpx.AsyncClient, bob: httpx.AsyncClient, work: Work
) -> None:
    made = await create(alice, "Fix it")
    target = f"{TASKS}/{made}/pulls"
    early = await alice.post(target)
    assert early.status_code == 422
    assert "no branch yet; wait" in early.json()["message"]
    principal = await world.services.identity.authenticate(world.tokens["alice"])
    session = (await world.services.tasks.get(principal, made)).task.session
    work.commit(session.head_ref, {"new.txt": "1\n"}, "One")
    held = (await world.ledger.take(session.id)).session
    await world.ledger.begin(held, "a" * 40, NewEvent(EventType.SESSION_START, {}))
    await world.ledger.add_artifact(held, BranchArtifact(session.head_ref, "main"))
    await world.ledger.drain(held)
    await world.ledger.finish(held, State.COMPLETED)
    first, again = await alice.post(target), await alice.post(target)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert set(first.json()) == {"id", "number", "repository_id"}
    pull = (await alice.get(f"{PULLS}/{first.json()['number']}")).json()
    assert (pull["title"], pull["draft"], pull["head"]["ref"]) == ("Fix it", False, held.head_ref)
    artifacts = (await alice.get(f"/agents/tasks/{made}")).json()["artifacts"]
    assert [a["type"] for a in artifacts] == ["branch", "pull"]
    assert (await bob.post(target)).status_code == 403
    assert (await alice.post(f"/agents/repos/octo/other/tasks/{made}/pulls")).status_code == 404
