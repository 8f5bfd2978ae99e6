"""Turns that are taken up again: after an answer, and after a worker was lost."""

from __future__ import annotations

import json

import pytest

from journeyman.agent.loop import INTERRUPTED, NOT_RUN
from journeyman.agent.verdict import CONTINUE, Kind, Verdict
from journeyman.domain.events import EventType
from journeyman.sandbox import SandboxLost
from tests.peers.model_server import Say
from tests.unit.agent.journal import NotMine
from tests.unit.agent.sessions import (
    Served,
    results,
)


class TestQuestions:
    ASK = ("ask_user", {"question": "Which?", "options": ["left", "right"]})

    async def test_a_question_waits_and_its_answer_is_the_calls_result(
        self, served: Served
    ) -> None:
        session = await served([Say("Hm.", [self.ASK]), Say("Thanks.")])

        assert await session.step() == Verdict(Kind.WAITING, "Which?")
        (asked,) = session.journal.all(EventType.INPUT_REQUESTED)
        assert asked.data["choices"] == ["left", "right"]
        assert asked.data["allowFreeform"] is True
        assert await session.step() == Verdict(Kind.WAITING, "Which?"), "and goes on waiting"
        session.journal.say("left", "answer")
        assert await session.step() == Verdict(Kind.DONE, "Thanks.")

        assert session.server.requests[-1]["messages"][-1]["role"] == "tool"
        assert session.server.requests[-1]["messages"][-1]["content"] == "left"

    async def test_a_question_beside_other_calls_is_refused(self, served: Served) -> None:
        session = await served([Say("", [self.ASK, ("look", {"command": "do it"})]), Say("Ok.")])

        assert (await session.to_the_end()).kind is Kind.DONE

        assert "only call" in results(session.journal)[0] + results(session.journal)[1]
        assert session.bench.ran == ["do it"]

    async def test_a_question_that_makes_no_sense_is_refused(self, served: Served) -> None:
        session = await served([Say("", [("ask_user", {"questions": 3})]), Say("Ok.")])

        assert (await session.to_the_end()).kind is Kind.DONE

    async def test_a_question_is_asked_once_though_the_worker_died_before(
        self, served: Served
    ) -> None:
        session = await served([Say("Hm.", [self.ASK])])
        session.journal.stop_before = lambda event: event.type is EventType.INPUT_REQUESTED
        with pytest.raises(NotMine):
            await session.step()
        session.journal.stop_before = lambda event: False

        assert (await session.step()).kind is Kind.WAITING
        assert len(session.server.requests) == 1


class TestResume:
    async def test_a_started_call_is_told_to_be_lost_and_not_run_again(
        self, served: Served
    ) -> None:
        calls = [("bash", {"command": "lose it"}), ("bash", {"command": "do more"})]
        session = await served([Say("", calls), Say("I see.")])
        with pytest.raises(SandboxLost):
            await session.step()

        assert await session.step() == CONTINUE

        assert session.bench.ran == ["lose it"]
        assert results(session.journal) == [INTERRUPTED, NOT_RUN]
        assert (await session.step()).kind is Kind.DONE
        assert "interrupted" in json.dumps(session.server.requests[-1]["messages"][-1]).lower()

    async def test_calls_that_were_never_begun_are_run(self, served: Served) -> None:
        session = await served([Say("", [("bash", {"command": "do it"})] * 2), Say("Done.")])
        session.journal.stop_before = lambda event: (
            event.type is EventType.TOOL_START and session.bench.ran != []
        )
        with pytest.raises(NotMine):
            await session.step()
        session.journal.stop_before = lambda event: False

        assert await session.step() == CONTINUE
        assert session.bench.ran == ["do it", "do it"]

    async def test_what_only_reads_is_run_though_something_was_lost(self, served: Served) -> None:
        calls = [("bash", {"command": "lose it"}), ("look", {"command": "do more"})]
        session = await served([Say("", calls), Say("I see.")])
        with pytest.raises(SandboxLost):
            await session.step()

        await session.step()

        assert session.bench.ran == ["lose it", "do more"]
