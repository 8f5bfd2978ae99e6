"""Turns in which the model fails, or asks for what cannot be done."""

from __future__ import annotations

import asyncio

import pytest

from journeyman.agent.repetition import MOST
from journeyman.agent.verdict import Kind
from journeyman.domain.events import EventType
from journeyman.domain.sessions import Reason
from tests.peers.model_server import Raw, Reset, Say, Stall, Status
from tests.unit.agent.sessions import (
    QUICK,
    Served,
    results,
)


class TestBadReplies:
    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (("no_such", {"command": "x"}), ["no tool 'no_such'", "bash, look"]),
            (("bash", {}), ["command", "Field required"]),
            (("bash", {"command": "x", "sudo": True}), ["sudo", "not permitted"]),
            (("bash", {"command": "x", "timeout": "soon"}), ["timeout", "integer"]),
            (("bash", '{"command": "x"'), ["not a JSON object"]),
            (("bash", "[1]"), ["not a JSON object"]),
            (("bash", '{"command": "\\ud800"}'), ["not a JSON object"]),
            (("bash", {"command": "refuse this"}), ["cannot do this"]),
            (("bash", {"command": "crash now"}), ["ZeroDivisionError", "now"]),
        ],
    )
    async def test_a_call_that_fails_is_data_for_the_model(
        self, served: Served, call: tuple[str, dict[str, object] | str], words: list[str]
    ) -> None:
        session = await served([Say("", [call]), Say("I see.")])

        verdict = await session.to_the_end()

        assert verdict.kind is Kind.DONE
        sent = session.server.requests[-1]["messages"][-1]["content"]
        assert all(word in sent for word in words), sent
        event = session.journal.all(EventType.TOOL_COMPLETE)[0].data
        assert event["success"] is False
        assert all(word in event["error"]["message"] for word in words)

    async def test_the_same_step_again_and_again_is_told_and_at_last_stopped(
        self, served: Served
    ) -> None:
        session = await served([Say("", [("look", {"command": "at it"})])])

        verdict = await session.to_the_end()

        assert (verdict.kind, verdict.reason) == (Kind.FAILED, Reason.NO_PROGRESS)
        assert "choose another model" in verdict.message
        assert len(session.bench.ran) == MOST - 1
        seen = results(session.journal)
        assert seen[1] == "did it"
        assert "This is time 3 in a row" in seen[2]

    async def test_waiting_for_a_job_again_and_again_is_no_repetition(self, served: Served) -> None:
        wait = Say("", [("bash_wait", {"job": 1})])
        session = await served(lambda number, _: wait if number < MOST + 5 else Say("Done."))

        assert (await session.to_the_end()).kind is Kind.DONE

    async def test_an_empty_reply_is_asked_for_again(self, served: Served) -> None:
        session = await served([Say("  ")])

        verdict = await session.step()

        assert (verdict.kind, verdict.reason) == (Kind.FAILED, Reason.MODEL_UNAVAILABLE)
        assert "neither a text nor a tool call" in verdict.message
        assert len(session.server.requests) == QUICK.attempts

    async def test_call_ids_that_repeat_are_made_different(self, served: Served) -> None:
        calls = [("look", {"command": f"do {n}"}) for n in range(2)]
        say = Say("", calls, call_ids=["call_0", "call_0"])
        session = await served([say, say, Say("Done.")])

        assert (await session.to_the_end()).kind is Kind.DONE

        ids = [e.data["toolCallId"] for e in session.journal.all(EventType.TOOL_COMPLETE)]
        assert len(set(ids)) == 4
        assert len(session.bench.ran) == 4

    @pytest.mark.parametrize(
        ("named", "told"),
        [("functions.bash<|channel|>json", "functions_bash__channel__json"), ("é" * 70, "_" * 64)],
    )
    async def test_a_name_that_no_provider_takes_back_is_changed(
        self, served: Served, named: str, told: str
    ) -> None:
        session = await served([Say("", [(named, {})]), Say("Done.")])

        assert (await session.to_the_end()).kind is Kind.DONE

        (refused,) = results(session.journal)
        assert f"There is no tool '{told}'" in refused
        (call,) = session.server.requests[-1]["messages"][-2]["tool_calls"]
        assert call["function"]["name"] == told

    async def test_broken_text_is_made_storable(self, served: Served) -> None:
        calls = [("bash", {"command": "raw"})]
        session = await served([Say("half \ud83d, nul \0", calls), Say("Done.")])

        assert (await session.to_the_end()).kind is Kind.DONE

        shown = session.journal.all(EventType.TOOL_COMPLETE)[0].data["result"]["content"]
        assert shown == "\x1b[31mred\x1b[0m 10%\r99%\nlone \ufffd nul \ufffd end"
        assert results(session.journal) == ["99%\nlone \ufffd nul \ufffd end"]

    async def test_a_flood_is_kept_whole_and_clipped_for_the_model(self, served: Served) -> None:
        session = await served([Say("", [("bash", {"command": "flood"})])])

        await session.step()

        whole = session.journal.all(EventType.TOOL_COMPLETE)[0].data["result"]["content"]
        (seen,) = results(session.journal)
        assert len(whole) > 1_000_000
        assert len(seen) < 31_000


class TestFaults:
    async def test_a_transient_fault_is_retried_and_logged(self, served: Served) -> None:
        session = await served([Say("Done.")])
        session.server.faults += [Status(529, "busy"), Reset(3)]

        assert (await session.step()).kind is Kind.DONE

        retries = session.journal.all(EventType.MODEL_RETRY)
        assert [event.data["attempt"] for event in retries] == [1, 2]
        assert "busy" in retries[0].data["error"]
        assert all(event.data["delay"] <= 20 for event in retries)

    async def test_the_provider_says_how_long_to_wait(self, served: Served) -> None:
        session = await served([Say("Done.")])
        session.server.faults.append(Status(429, headers={"retry-after-ms": "70"}))
        session.server.faults.append(Status(429, headers={"retry-after": "0"}))

        assert (await session.step()).kind is Kind.DONE

        delays = [e.data["delay"] for e in session.journal.all(EventType.MODEL_RETRY)]
        assert delays[-1] == 0

    async def test_it_gives_up_with_a_reason(self, served: Served) -> None:
        session = await served([Say("Done.")])
        session.server.faults += [Status(500, "oh no")] * 3

        verdict = await session.step()

        assert (verdict.kind, verdict.reason) == (Kind.FAILED, Reason.MODEL_UNAVAILABLE)
        assert "oh no" in verdict.message

    @pytest.mark.parametrize(
        ("fault", "reason"),
        [
            (Status(401, "bad key"), Reason.MODEL_UNAVAILABLE),
            (Status(404, "no model"), Reason.MODEL_UNAVAILABLE),
            (Status(400, "bad request"), Reason.MODEL_REFUSED),
        ],
        ids=repr,
    )
    async def test_what_will_not_mend_is_not_retried(
        self, served: Served, fault: Status, reason: Reason
    ) -> None:
        session = await served([Say("Done.")])
        session.server.faults.append(fault)

        verdict = await session.step()

        assert (verdict.kind, verdict.reason) == (Kind.FAILED, reason)
        assert fault.message in verdict.message
        assert len(session.server.requests) == 1

    async def test_nonsense_is_retried(self, served: Served) -> None:
        session = await served([Say("Done.")])
        session.server.faults.append(Raw(b"<html>", "text/html"))

        assert (await session.step()).kind is Kind.DONE

    async def test_cancelling_in_the_model_call_leaves_nothing_half(self, served: Served) -> None:
        session = await served([Say("Done.")])
        session.server.faults.append(Stall(4))
        task = asyncio.create_task(session.step())
        async with asyncio.timeout(5):
            while not session.journal.shown:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert session.journal.types()[-1] == "assistant.turn_start"
        assert (await session.step()).kind is Kind.DONE

    @pytest.mark.parametrize("name", ["bash", "look"])
    async def test_cancelling_in_a_tool_passes_through(self, served: Served, name: str) -> None:
        calls = [(name, {"command": "hang a"}), (name, {"command": "hang b"})]
        session = await served([Say("", calls)])
        task = asyncio.create_task(session.step())
        async with asyncio.timeout(5):
            while not session.bench.ran:
                await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert session.bench.running == 0
