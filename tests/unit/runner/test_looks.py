"""What is known of a session's files after a crash: only what nobody could have changed since."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.runner import looks
from tests.unit.agent.journal import Journal

CALL = {"toolCallId": "a", "toolName": "bash"}
STARTED = NewEvent(EventType.TOOL_START, CALL)
COMPLETED = NewEvent(EventType.TOOL_COMPLETE, CALL)
TURN = NewEvent(EventType.TURN_START, {"turnId": "2"})


@pytest.fixture
def ran() -> Journal:
    return Journal(STARTED, COMPLETED)


def told(directory: Path, newest: Event, *, fence: int = 1) -> None:
    looks.begin(directory, fence)
    looks.tell(directory, fence, newest)


def test_what_was_looked_at_is_known_also_when_a_turn_has_begun(
    tmp_path: Path, ran: Journal
) -> None:
    told(tmp_path, ran.events[-1])

    assert looks.unchanged(tmp_path, ran.events)
    ran.add(TURN)
    assert looks.unchanged(tmp_path, ran.events)


@pytest.mark.parametrize("event", [STARTED, COMPLETED])
def test_a_call_after_the_look_may_have_changed_something(
    tmp_path: Path, ran: Journal, event: NewEvent
) -> None:
    told(tmp_path, ran.events[-1])
    ran.add(event, TURN)

    assert not looks.unchanged(tmp_path, ran.events)


def test_nothing_is_known_without_a_look(tmp_path: Path, ran: Journal) -> None:
    assert not looks.unchanged(tmp_path / "missing", ran.events)
    looks.begin(tmp_path, 1)
    assert not looks.unchanged(tmp_path, ran.events)
    (tmp_path / "unchanged-1").write_bytes(b"\xff")
    assert not looks.unchanged(tmp_path, ran.events)


def test_who_begins_anew_knows_nothing_of_it_any_more(tmp_path: Path, ran: Journal) -> None:
    told(tmp_path, ran.events[-1])
    looks.begin(tmp_path, 2)

    assert not looks.unchanged(tmp_path, ran.events)


def test_a_former_holder_tells_nothing(tmp_path: Path, ran: Journal) -> None:
    looks.begin(tmp_path, 1)
    looks.begin(tmp_path, 2)
    looks.tell(tmp_path, 1, ran.events[-1])

    assert not looks.unchanged(tmp_path, ran.events)


def test_a_full_disk_ends_nothing(tmp_path: Path, ran: Journal) -> None:
    looks.begin(tmp_path / "missing", 1)  # nothing can be made there either
    (tmp_path / "unchanged-1").symlink_to("/dev/full")
    looks.tell(tmp_path, 1, ran.events[-1])
    looks.begin(tmp_path, 2)

    assert not looks.unchanged(tmp_path, ran.events)


def test_what_a_former_holder_has_told_never_stays(tmp_path: Path) -> None:
    (tmp_path / "unchanged-1").mkdir()
    with pytest.raises(OSError, match="unchanged-1"):
        looks.begin(tmp_path, 2)


def test_a_log_from_a_backup_is_another_one(tmp_path: Path, ran: Journal) -> None:
    newest = ran.events[-1]
    told(tmp_path, replace(newest, created_at=newest.created_at + timedelta(microseconds=1)))

    assert not looks.unchanged(tmp_path, ran.events)


def test_a_later_look_replaces_an_earlier_one(tmp_path: Path, ran: Journal) -> None:
    first = replace(ran.events[0], created_at=ran.events[0].created_at.replace(microsecond=123456))
    told(tmp_path, first)
    looks.tell(tmp_path, 1, ran.events[-1])

    assert looks.unchanged(tmp_path, ran.events)
