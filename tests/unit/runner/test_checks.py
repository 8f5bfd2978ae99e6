"""What is checked before work is delivered."""

from __future__ import annotations

from contextlib import aclosing

import pytest
from pydantic_ai.messages import ToolCallPart

from journeyman.agent import entries
from journeyman.agent.masking import Mask
from journeyman.agent.tools import Result
from journeyman.domain.configuration import EnabledTools
from journeyman.domain.events import EventType, NewEvent
from journeyman.llm.openai import chat
from journeyman.llm.provider import Options
from journeyman.runner import checks, leaks, words
from journeyman.runner.checks import Checked, Work
from tests.peers.model_server import ModelServer, Say, Status
from tests.unit.agent.journal import Journal

KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"
DIFF = f"""diff --git a/app.py b/app.py
--- a/app.py
+++ b/app.py
@@ -3,0 +4,2 @@ def f():
+x = 1
+key = "{KEY}"
@@ -20 +22 @@
-old = "{KEY}"
+y = 2
"""
OFF = EnabledTools(secret_scanning=False, copilot_code_review=False)


def work(diff: str | None = "", *, can_run: bool = True) -> Work:
    return Work("Do it", diff, "b" * 40, can_run)


def ran(journal: Journal, tool: str, code: int | None = None, **arguments: str) -> None:
    number = len(journal.events)
    call = ToolCallPart(tool, dict(arguments), f"c{number}")
    start = {"toolCallId": f"c{number}", "toolName": tool, "arguments": arguments}
    details = {} if code is None else {"exitCode": code}
    journal.add(
        NewEvent(EventType.TOOL_START, start),
        entries.completion(call, Result("…", details=details), 0.1),
    )


def results(made: list[NewEvent]) -> dict[str, tuple[str, str]]:
    (event,) = [entry for entry in made if entry.type is EventType.CHECKS]
    return {one["name"]: (one["status"], one["message"]) for one in event.data["results"]}


class TestSecrets:
    def test_an_added_line_is_found_with_its_place(self) -> None:
        assert list(map(str, leaks.find(DIFF))) == ["app.py:5 looks like a secret (AWS Access Key)"]

    @pytest.mark.parametrize(
        "line",
        [
            "password = os.environ['PASSWORD']",
            "sha = 'd670460b4b4aece5915caf5c68d12f560a9fe3e4'",
            f"key = '{KEY}'  # {leaks.ALLOWED}",
            "x" * 50_000,
        ],
    )
    def test_what_is_none_is_left_alone(self, line: str) -> None:
        assert leaks.find(f"diff --git a/a b/a\n+++ b/a\n@@ -0,0 +1 @@\n+{line}\n") == []

    def test_a_line_that_looks_like_a_heading_of_the_diff_is_a_line(self) -> None:
        diff = f"diff --git a/a b/a\n+++ b/a\n@@ -0,0 +1,2 @@\n+++ b/other\n+{KEY}\n"

        assert [(one.path, one.line) for one in leaks.find(diff)] == [("a", 2)]

    @pytest.mark.parametrize("before", [0, 3_590, 3_995, 40_000])
    def test_a_long_line_is_searched_to_its_end(self, before: int) -> None:
        line = " " * before + KEY + " " * 9_000
        diff = f"diff --git a/a b/a\n+++ b/a\n@@ -0,0 +1 @@\n+{line}\n"

        assert [one.line for one in leaks.find(diff)] == [1]

    def test_of_a_merge_it_is_what_no_parent_has(self) -> None:
        diff = "diff --cc a\nindex 1,2..3\n--- a/a\n+++ b/a\n@@@ -1,2 -1,2 +7,4 @@@\n"
        diff += f"++one\n+ {KEY}\n -{KEY}\n +{KEY}\n++{KEY}\n"

        assert [(one.path, one.line) for one in leaks.find(diff)] == [("a", 10)]

    def test_a_diff_may_come_in_pieces(self) -> None:
        heading = "diff --git a/a b/a\n+++ b/a\n@@ -0,0 +1,4 @@\n+one"
        finder = leaks.Finder()

        assert finder.find(heading) == []
        assert [(one.path, one.line) for one in finder.find(f"+two\n+{KEY}")] == [("a", 3)]

    async def test_the_sessions_own_secrets_are_found_in_any_form(self) -> None:
        found = await checks.secrets_in("+token = 'hunter22'", Mask(["hunter22"]))

        assert found == ["a secret of this repository's sessions is in the change"]

    async def test_what_is_found_goes_back_to_the_agent_twice_at_most(self) -> None:
        journal = Journal()
        for told in (True, True, False):
            made = await checks.check(
                work(DIFF), Checked(journal.events), OFF_BUT_SECRETS, Mask(), None
            )
            assert results(made)["secrets"][0] == "failed"
            says = [e for e in made if e.type is EventType.USER_MESSAGE]
            assert bool(says) is told
            journal.add(*made)
        assert "app.py:5 looks like a secret" in str(journal.events[1].data["content"])

    async def test_a_change_that_is_too_large_is_said_not_to_be_scanned(self) -> None:
        made = await checks.check(work(None), Checked(), EnabledTools(), Mask(), None)

        assert results(made)["secrets"] == ("skipped", "the change is too large to be read")

    async def test_each_can_be_switched_off(self) -> None:
        made = await checks.check(work(DIFF), Checked(), OFF, Mask(), None)

        assert {name: status for name, (status, _) in results(made).items()} == {
            "tests": "skipped",
            "secrets": "skipped",
            "dependencies": "skipped",
            "review": "skipped",
        }
        assert len(made) == 1


OFF_BUT_SECRETS = EnabledTools(copilot_code_review=False)


class TestTests:
    async def test_an_edit_that_nothing_was_run_after_goes_back(self) -> None:
        journal = Journal()
        ran(journal, "bash", 0, command="make test")
        ran(journal, "edit", path="a.py")

        made = await checks.check(work(), Checked(journal.events), EnabledTools(), Mask(), None)

        assert results(made)["tests"][0] == "failed"
        assert "run the repository's own tests" in made[-1].data["content"]
        assert made[-1].data["source"] == "checks"

    @pytest.mark.parametrize(("code", "status"), [(0, "passed"), (2, "failed")])
    async def test_the_last_command_after_the_last_edit_counts(
        self, code: int, status: str
    ) -> None:
        journal = Journal()
        ran(journal, "apply_patch", patch="…")
        ran(journal, "bash", code, command="make  test\n")

        made = await checks.check(work(), Checked(journal.events), EnabledTools(), Mask(), None)

        said = f"the last command, `make test`, exited with {code}"
        assert results(made)["tests"] == (status, said)
        assert len(made) == 1, "the agent knows that already"

    async def test_a_program_without_judgement_is_told_nothing(self) -> None:
        journal = Journal()
        ran(journal, "edit", path="a.py")

        made = await checks.check(
            work(can_run=False), Checked(journal.events), EnabledTools(), Mask(), None
        )

        assert [entry.type for entry in made] == [EventType.CHECKS]


class TestReview:
    @pytest.mark.parametrize(
        ("said", "status"), [("No findings.", "passed"), ("- app.py:5: wrong sign", "failed")]
    )
    async def test_a_model_looks_at_the_change(self, said: str, status: str) -> None:
        async with (
            ModelServer([Say(said)]) as server,
            aclosing(chat(Options(base_url=server.base_url, models=("m",)))) as provider,
        ):
            made = await checks.check(
                work("+x = 1"), Checked(), EnabledTools(), Mask(), provider.model("m")
            )

            assert results(made)["review"][0] == status
            assert any(entry.type is EventType.USAGE for entry in made)
            asked = str(server.requests[0]["messages"])
            assert "<task>\\nDo it\\n</task>" in asked
            assert "+x = 1" in asked

    async def test_a_model_that_does_not_answer_is_no_reason_to_stop(self) -> None:
        async with (
            ModelServer() as server,
            aclosing(chat(Options(base_url=server.base_url, models=("m",)))) as provider,
        ):
            server.faults.append(Status(500, "oh no"))
            made = await checks.check(
                work(), Checked(), EnabledTools(), Mask(), provider.model("m")
            )

        assert results(made)["review"][0] == "skipped"
        assert "oh no" in results(made)["review"][1]


def test_what_was_checked_once_is_not_due_again() -> None:
    checked = Checked()
    assert checks.due(checked, "b", "a")
    assert not checks.due(checked, "a", "a"), "nothing has changed"
    assert not checks.due(checked, None, "a")
    checked.sha = "b"
    assert not checks.due(checked, "b", "a")


def test_the_pull_request_tells_the_results() -> None:
    told = words.checks_told(
        [
            checks.Result("tests", "passed", "ok"),
            checks.Result("review", "failed", "m says:\n- bad"),
        ]
    )

    assert told == "### Checks\n\n- ✅ **tests**: ok\n- ❌ **review**: m says:\n  - bad\n\n"
    assert words.checks_told([]) == ""
