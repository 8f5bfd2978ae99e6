"""What was told in passing is bounded, and goes when an event says it whole."""

from datetime import UTC, datetime

from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.service.passing import MOST_CHARACTERS, MOST_TASKS, Passing


def stored(kind: EventType, **data: object) -> Event:
    return Event("s", 1, 1, kind, datetime(2026, 1, 1, tzinfo=UTC), data)


def delta(text: str, message: str = "m") -> NewEvent:
    return NewEvent(EventType.MESSAGE_DELTA, {"messageId": message, "deltaContent": text})


def test_a_long_text_keeps_its_end() -> None:
    passing = Passing()
    for number in range(1000):
        passing.add("t", delta(f"{number:0200}"))
    (told,) = passing.told("t")
    text = told.data["deltaContent"]
    assert MOST_CHARACTERS - 200 <= len(text) <= MOST_CHARACTERS
    assert text.endswith("999")


def test_old_tasks_are_forgotten() -> None:
    passing = Passing()
    for number in range(MOST_TASKS + 1):
        passing.add(str(number), delta("x"))
    assert passing.told("0") == []
    assert passing.told(str(MOST_TASKS)) == [delta("x")]


def test_a_failed_reply_is_forgotten_and_a_running_call_is_not() -> None:
    passing = Passing()
    output = NewEvent(EventType.TOOL_PARTIAL, {"toolCallId": "c", "partialOutput": "x"})
    passing.add("t", delta("Hel"))
    passing.add("t", output)
    passing.settle("t", [stored(EventType.MODEL_RETRY, attempt=1)])
    assert passing.told("t") == [output]
    passing.settle("t", [stored(EventType.TOOL_COMPLETE, toolCallId="other")])
    assert passing.told("t") == [output]
    passing.settle("t", [stored(EventType.TOOL_COMPLETE, toolCallId="c")])
    assert passing.told("t") == []
