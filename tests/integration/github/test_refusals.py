"""What becomes of a task that GitHub refuses in the middle, or at the end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.forge.client import commit, git
from tests.integration.github.conftest import Service
from tests.peers.faulty import Fault
from tests.peers.github.state import Pull

pytestmark = [pytest.mark.npm, pytest.mark.sandbox, pytest.mark.engine]

WRITE = "Write\n\n```sh\necho 1 > new.txt\n```"


async def test_a_protected_branch_ends_the_task_in_github_s_words_and_keeps_the_work(
    working: Service,
) -> None:
    before = working.repository.tip("topic")
    working.repository.protected = ("topic",)
    made = await working.create(WRITE, head_ref="topic", create_pull_request=True)
    task = await working.wait(made["id"])
    session = task["sessions"][0]
    assert (task["state"], session["state_reason"]) == ("failed", "push_rejected")
    assert "GH006: Protected branch update failed" in session["error"]["message"]
    assert working.repository.tip("topic") == before
    assert working.repository.pulls == []
    patch = await working.octo.get(f"/agents/tasks/{made['id']}/patch")
    assert "new.txt" in patch.text


async def test_a_limit_at_the_end_and_a_base_pushed_over_hold_nothing_up(working: Service) -> None:
    """The base is another commit than the work began with, and GitHub asks to wait a second."""
    told = {"retry-after": "1"}
    limit = Fault("POST .*/pulls$", 403, told, "You have exceeded a secondary rate limit")
    working.github.faults.append(limit)
    made = await working.create(f"{WRITE}\n\n```sh\nsleep 2\n```", create_pull_request=True)
    await working.wait(made["id"], "in_progress")
    other = git(working.repository.bare, "rev-parse", "topic")
    git(working.repository.bare, "update-ref", "refs/heads/main", other)
    task = await working.wait(made["id"])
    assert task["state"] == "completed", task
    (pull,) = working.repository.pulls
    assert (pull.base, pull.draft) == ("main", False)
    assert git(working.repository.bare, "show", f"{pull.head}:new.txt") == "1"


async def test_a_token_that_may_not_open_pull_requests_is_told_as_that(working: Service) -> None:
    no = "Resource not accessible by personal access token"
    fault = Fault("POST .*/pulls$", 403, message=no, times=100)
    working.github.faults.append(fault)
    made = await working.create(WRITE, create_pull_request=True)
    task = await working.wait(made["id"])
    session = task["sessions"][0]
    assert (task["state"], session["state_reason"]) == ("failed", "pull_rejected")
    told = session["error"]["message"]
    for sign in (no, session["head_ref"], "the right to write pull requests"):
        assert sign in told, told
    asked = len(working.github.asked("POST .*/pulls$"))
    assert asked == 2, "with the agent's report and at the end, and not again"
    assert git(working.repository.bare, "show", f"{session['head_ref']}:new.txt") == "1"
    tried = await working.octo.post(f"/agents/repos/octo/app/tasks/{made['id']}/pulls")
    assert (tried.status_code, no in tried.json()["message"]) == (403, True), tried.text

    working.github.faults.remove(fault)
    more = {"content": "Once more\n\n```sh\ntrue\n```"}
    assert (await working.octo.post(f"/agents/tasks/{made['id']}/steer", json=more)).is_success
    await working.wait(made["id"], "in_progress")
    await working.wait(made["id"])
    (pull,) = working.repository.pulls
    assert pull.head == session["head_ref"]


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12\n"
UNKNOWN = (
    "error: GH008: Your push referenced at least 1 unknown Git LFS object:\n    4d7a\n"
    "Try to push them with 'git lfs push --all'.\n"
)


async def test_lfs_and_submodules_are_left_alone_and_unknown_objects_keep_the_work(
    working: Service, tmp_path: Path
) -> None:
    source, bare = tmp_path / "source", working.repository.bare
    commit(source, ".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n")
    commit(source, "old.bin", POINTER)
    sub = f"160000,{git(source, 'rev-parse', 'HEAD')},vendor/lib"
    git(source, "update-index", "--add", "--cacheinfo", sub)
    lib = f'[submodule "lib"]\n\tpath = vendor/lib\n\turl = {working.github.url}/octo/lib.git\n'
    commit(source, ".gitmodules", lib)
    git(source, "push", "-q", str(bare), "HEAD:refs/heads/topic")
    before = working.repository.tip("topic")
    working.repository.protected, working.repository.refusal = ("topic",), UNKNOWN
    look = "cat old.bin; git status --porcelain; cp old.bin new.bin"
    made = await working.create(f"Copy\n\n```sh\n{look}\n```", head_ref="topic")
    session = (await working.wait(made["id"]))["sessions"][0]
    assert (session["state"], session["state_reason"]) == ("failed", "push_rejected")
    for sign in ("GH008: Your push referenced", "4d7a", "git lfs push --all", "kept in the patch"):
        assert sign in session["error"]["message"]
    assert working.repository.tip("topic") == before
    patch = (await working.octo.get(f"/agents/tasks/{made['id']}/patch")).text
    assert "new.bin" in patch
    assert "old.bin" not in patch
    assert "vendor" not in patch
    assert not working.github.asked("octo/lib")
    log = (await working.octo.get(f"/agents/tasks/{made['id']}/events?per_page=100")).text
    assert log.count("Files under Git LFS are left as their pointers: .gitattributes") == 1
    assert "oid sha256:4d7a" in log
    assert log.count("Submodules are not fetched: vendor/lib") == 1


async def test_somebody_else_s_pull_request_keeps_its_words_and_a_deleted_branch_is_begun_anew(
    working: Service,
) -> None:
    repository, bob = working.repository, working.github.state.user("bob")
    theirs = Pull(7, 1, bob, "Bob's title", "Bob's words.", "topic", "main", draft=True)
    repository.pulls.append(theirs)
    more = {"head_ref": "topic", "base_ref": "main", "create_pull_request": True}
    made = await working.create(WRITE, **more)
    task = await working.wait(made["id"])
    assert task["state"] == "completed", task
    assert (repository.pulls, theirs.title, theirs.draft) == ([theirs], "Bob's title", True)
    assert theirs.body.startswith(f"Bob's words.\n\n<!-- journeyman {made['id']} -->")
    assert theirs.body.count("Follow the agent's log") == 1
    said = theirs.body

    theirs.state, theirs.merged = "closed", True
    git(repository.bare, "update-ref", "-d", "refs/heads/topic")
    more = {"content": "Again\n\n```sh\nls; echo 2 > again.txt\n```"}
    assert (await working.octo.post(f"/agents/tasks/{made['id']}/steer", json=more)).is_success
    await working.wait(made["id"], "in_progress")
    task = await working.wait(made["id"])
    assert task["state"] == "completed", task
    assert theirs.body == said
    _, own = repository.pulls
    assert (own.head, own.base, own.draft) == ("topic", "main", False)
    assert git(repository.bare, "diff", "--name-only", "main", "topic") == "again.txt"
    log = (await working.octo.get(f"/agents/tasks/{made['id']}/events?per_page=100")).text
    assert log.count("The branch 'topic' is gone; it is begun anew from 'main'") == 1
