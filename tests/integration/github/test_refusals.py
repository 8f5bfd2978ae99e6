"""What becomes of a task that GitHub refuses in the middle, or at the end."""

from __future__ import annotations

import pytest

from tests.integration.forge.client import git
from tests.integration.github.conftest import Service
from tests.peers.faulty import Fault

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
