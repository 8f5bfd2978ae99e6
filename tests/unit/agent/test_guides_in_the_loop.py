"""Instructions for some paths reach the model with the first result that touches one of them."""

from __future__ import annotations

from journeyman.agent.customisation.guides import Guide
from journeyman.agent.loop import Means, turn
from journeyman.agent.tools import Result, Toolbox
from journeyman.agent.tools.toolbox import Arguments, OnPartial, make_tool
from journeyman.agent.verdict import CONTINUE
from journeyman.domain.events import EventType
from tests.peers.model_server import Say
from tests.unit.agent.journal import Journal
from tests.unit.agent.sessions import Served, Setup, results

PYTHON = Guide("py.instructions.md", "Use types.", ("**/*.py",))
BELOW = Guide("src/AGENTS.md", "Mind the gap.", ("src/**",))


class Look(Arguments):
    """Look."""

    path: str


async def look(arguments: Look, on_partial: OnPartial) -> Result:
    return Result(f"saw {arguments.path}", paths=(arguments.path,))


async def carry(setup: Setup, journal: Journal) -> None:
    tools = Toolbox([make_tool("look", Look, look, read_only=True)])
    conversation = journal.conversation()
    means = Means(setup.model, tools, journal.emit, journal.publish, (PYTHON, BELOW))
    while await turn(conversation, means) == CONTINUE:
        assert conversation.told == journal.conversation().told


async def test_each_is_told_once(served: Served) -> None:
    paths = ["README.md", "src/a.txt", "src/a.py", "b.py"]
    calls = [Say(calls=[("look", {"path": path})]) for path in paths]
    setup = await served([*calls, Say("Done.")])

    await carry(setup, setup.journal)

    seen = results(setup.journal)
    assert ["Mind the gap." in text for text in seen] == [False, True, False, False]
    assert ["Use types." in text for text in seen] == [False, False, True, False]
    assert all(text.startswith("saw ") for text in seen)


async def test_the_log_says_which_and_the_reader_sees_the_plain_result(served: Served) -> None:
    setup = await served([Say(calls=[("look", {"path": "src/a.py"})]), Say("Done.")])

    await carry(setup, setup.journal)

    (event,) = setup.journal.all(EventType.TOOL_COMPLETE)
    assert event.data["result"]["content"] == "saw src/a.py"
    assert event.data["instructions"] == ["py.instructions.md", "src/AGENTS.md"]


async def test_calls_at_the_same_time_do_not_tell_it_twice(served: Served) -> None:
    calls = [("look", {"path": f"src/{n}.txt"}) for n in range(5)]
    setup = await served([Say(calls=calls), Say("Done.")])

    await carry(setup, setup.journal)

    assert sum("Mind the gap." in text for text in results(setup.journal)) == 1
