"""The log that hooks look back at, in a real sandbox."""

from __future__ import annotations

import json

import msgspec
import pytest

from journeyman.agent.transcript import PATH, Transcript
from journeyman.api import wire
from journeyman.domain.events import EventType, NewEvent
from journeyman.sandbox import HOME, Sandbox
from tests.unit.agent.journal import Journal

pytestmark = pytest.mark.sandbox


async def test_it_has_each_event_as_the_api_has_it_also_after_it_could_not_be_written(
    box: Sandbox,
) -> None:
    told = [NewEvent(EventType.MESSAGE, {"content": text}) for text in ("One", "T\xfc\u2028")]
    journal, transcript = Journal(*told), Transcript()
    first, second = journal.events
    transcript.note(first)
    await box.exec(f"touch {HOME}/.journeyman")
    assert await transcript.write(box) == ""
    await box.exec(f"rm {HOME}/.journeyman")
    assert await transcript.write(box) == PATH
    transcript.note(second)
    assert await transcript.write(box) == PATH

    lines = (await box.export(f"cat {PATH}", limit_bytes=10_000)).decode().splitlines()
    as_in_api = [json.loads(msgspec.json.encode(wire.event(one))) for one in (first, second)]
    assert [json.loads(line) for line in lines] == as_in_api
