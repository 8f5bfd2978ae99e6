"""What was told in passing and no stored event repeats yet, for those who begin to watch late.

Of this process's workers only, and bounded: a reader who misses some has the whole soon.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping

from journeyman.domain.events import Event, EventType, NewEvent

MOST_TASKS = 200
MOST_CHARACTERS = 64_000
"""Of one call's output or one message; its end is kept."""
PARTS: Mapping[EventType, tuple[str, str]] = {
    EventType.TOOL_PARTIAL: ("toolCallId", "partialOutput"),
    EventType.MESSAGE_DELTA: ("messageId", "deltaContent"),
    EventType.REASONING_DELTA: ("messageId", "deltaContent"),
}
"""By type: whose part it is, and where its text stands."""
WHOLE: Mapping[EventType, str] = {
    EventType.TOOL_COMPLETE: "toolCallId",
    EventType.MESSAGE: "messageId",
}
Key = tuple[EventType, str]


class Said:
    """The end of one text that comes in pieces."""

    def __init__(self) -> None:
        self._pieces: deque[str] = deque()
        self._length = 0

    def add(self, text: str) -> None:
        self._pieces.append(text[-MOST_CHARACTERS:])
        self._length += len(self._pieces[-1])
        while self._length > MOST_CHARACTERS and len(self._pieces) > 1:
            self._length -= len(self._pieces.popleft())

    @property
    def text(self) -> str:
        return "".join(self._pieces)


class Passing:
    def __init__(self) -> None:
        self._said: OrderedDict[str, dict[Key, Said]] = OrderedDict()

    def add(self, task_id: str, entry: NewEvent) -> None:
        if entry.type not in PARTS:
            return
        name, text = PARTS[entry.type]
        of_task = self._said.setdefault(task_id, {})
        said = of_task.setdefault((entry.type, str(entry.data.get(name))), Said())
        said.add(str(entry.data.get(text, "")))
        self._said.move_to_end(task_id)
        while len(self._said) > MOST_TASKS:
            self._said.popitem(last=False)

    def settle(self, task_id: str, stored: Iterable[Event]) -> None:
        """Forget what *stored* says whole. What a failed reply had begun is not gone on with."""
        kept = self._said.get(task_id, {})
        for event in stored:
            kept = {key: said for key, said in kept.items() if not _ends(event, key)}
        if kept:
            self._said[task_id] = kept
        else:
            self.forget(task_id)

    def forget(self, task_id: str) -> None:
        self._said.pop(task_id, None)

    def told(self, task_id: str) -> list[NewEvent]:
        """One entry for each text, with all that is kept of it."""
        return [
            NewEvent(kind, {PARTS[kind][0]: name, PARTS[kind][1]: said.text})
            for (kind, name), said in self._said.get(task_id, {}).items()
        ]


def _ends(event: Event, key: Key) -> bool:
    kind, name = key
    if event.type is EventType.MODEL_RETRY:
        return kind is not EventType.TOOL_PARTIAL
    return event.type in WHOLE and event.data.get(WHOLE[event.type]) == name
