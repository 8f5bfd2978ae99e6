"""Another model goes on in the middle of a session when the first is given up."""

from __future__ import annotations

from contextlib import aclosing

from journeyman.agent.loop import Means, turn
from journeyman.agent.verdict import CONTINUE, Kind
from journeyman.domain.events import EventType
from journeyman.llm.anthropic import messages
from journeyman.llm.openai import chat
from journeyman.llm.provider import Options
from journeyman.llm.registry import Registry
from tests.peers.model_server import ModelServer, Say, Status
from tests.unit.agent.journal import Journal
from tests.unit.agent.sessions import QUICK, Bench

TURNS = [Say("First.", [("bash", {"command": "wait"})]), Say("Done.")]


async def test_a_session_goes_on_with_another_provider_and_its_log_says_so() -> None:
    journal, bench = Journal(), Bench()
    journal.say("Do it")
    async with ModelServer(TURNS) as one, ModelServer(TURNS) as other:
        root = other.base_url.removesuffix("/v1")
        first = chat(Options(name="one", base_url=one.base_url, models=("sonnet-4-6",)))
        second = messages(Options(name="other", base_url=root, models=("sonnet-4.6",)))
        async with aclosing(Registry([first, second])) as registry:
            conversation = journal.conversation("Be good.")
            for _ in range(6):
                if len(one.requests) == 1:
                    one.faults += [Status(503)] * QUICK.attempts
                means = Means(
                    registry.resolve(conversation.model_id or "one:sonnet-4-6"),
                    bench.tools,
                    journal.emit,
                    journal.publish,
                    retries=QUICK,
                    instead=lambda model_id: registry.instead(model_id, None),
                )
                if (verdict := await turn(conversation, means)) != CONTINUE:
                    break

    assert (verdict.kind, verdict.message) == (Kind.DONE, "Done.")
    (change,) = journal.all(EventType.MODEL_CHANGE)
    assert (change.data["previousModel"], change.data["newModel"]) == (
        "one:sonnet-4-6",
        "other:sonnet-4.6",
    )
    assert journal.conversation("Be good.").model_id == "other:sonnet-4.6"
    assert "First." in str(other.requests[0]["messages"])
    assert bench.ran == ["wait"]


async def test_without_another_the_session_ends_as_before() -> None:
    journal, bench = Journal(), Bench()
    journal.say("Do it")
    async with ModelServer() as server:
        server.faults += [Status(503)] * QUICK.attempts
        first = chat(Options(name="one", base_url=server.base_url, models=("m",)))
        async with aclosing(Registry([first])) as registry:
            means = Means(
                registry.resolve("m"),
                bench.tools,
                journal.emit,
                journal.publish,
                retries=QUICK,
                instead=lambda model_id: registry.instead(model_id, None),
            )
            verdict = await turn(journal.conversation("Be good."), means)

    assert verdict.kind is Kind.FAILED
    assert not journal.all(EventType.MODEL_CHANGE)
