from dataclasses import replace
from datetime import timedelta

import pytest

from journeyman.domain.browsing import Mark
from journeyman.domain.events import EventType
from journeyman.domain.queries import Cursor
from journeyman.domain.sessions import Session, State
from journeyman.web import timeline
from tests.conftest import Clock

E = EventType


@pytest.fixture
def session(clock: Clock) -> Session:
    return Session(
        id="s",
        task_id="t",
        repository_id=1,
        number=1,
        user_id=1,
        state=State.COMPLETED,
        state_reason=None,
        prompt="p",
        model=None,
        custom_agent=None,
        create_pull_request=False,
        base_ref="main",
        base_sha=None,
        head_ref="topic",
        on_existing_branch=False,
        error=None,
        usage_nano_credits=None,
        run_number=1,
        fence=1,
        last_seq=0,
        created_at=clock.now,
        updated_at=clock.now,
        completed_at=None,
    )


def marks(clock: Clock, *story: tuple[float, EventType] | tuple[float, State]) -> list[Mark]:
    made = []
    for seq, (seconds, what) in enumerate(story, 1):
        clock.advance(seconds)
        kind = E.SESSION_STATE if isinstance(what, State) else what
        data = {"state": str(what)} if isinstance(what, State) else {}
        made.append(Mark(Cursor(1, seq), kind, clock.now, data))
    return made


STORY = (
    (5, E.SESSION_START),
    (1, State.IN_PROGRESS),
    (2, E.TURN_START),
    (10, E.MESSAGE),
    (0, E.TOOL_START),
    (0, E.TOOL_START),
    (3, E.TOOL_COMPLETE),
    (4, E.TOOL_COMPLETE),
    (1, E.CHECKPOINT),
    (0, State.WAITING_FOR_USER),
    (1000, State.QUEUED),
    (2, E.SESSION_RESUME),
    (1, State.COMPLETED),
)


def test_every_second_is_somebodys(session: Session, clock: Clock) -> None:
    made = timeline.of(marks(clock, *STORY), [session], clock.now)
    assert dict(made.seconds) == {"queue": 7, "setup": 5, "model": 10, "tool": 7, "user": 1000}
    assert sum(made.seconds.values()) == (clock.now - session.created_at).total_seconds()
    assert made.totals.tools == 2


def test_a_long_wait_does_not_hide_the_work(session: Session, clock: Clock) -> None:
    made = timeline.of(marks(clock, *STORY), [session], clock.now)
    drawn = {bar.kind: bar.width for bar in made.bars}
    assert drawn["model"] > drawn["user"]
    assert sum(bar.width for bar in made.bars) == pytest.approx(timeline.WIDTH)


def test_what_goes_on_is_counted_until_now(session: Session, clock: Clock) -> None:
    found = marks(clock, (5, E.SESSION_START), (1, E.TURN_START))
    working = replace(session, state=State.IN_PROGRESS)
    made = timeline.of(found, [working], clock.now + timedelta(seconds=30))
    assert made.seconds["model"] == 30


def test_many_pieces_become_columns_of_the_same_length(session: Session, clock: Clock) -> None:
    turn = ((1, E.TURN_START), (2, E.MESSAGE), (0, E.TOOL_START), (1, E.TOOL_COMPLETE))
    made = timeline.of(marks(clock, *(turn * 1000)), [session], clock.now)
    assert len({bar.x for bar in made.bars}) <= timeline.MOST_BARS
    columns = sum(bar.width * bar.height / timeline.HEIGHT for bar in made.bars)
    assert columns == pytest.approx(timeline.WIDTH)
    assert made.seconds["model"] == 2000


def test_nothing_yet_is_drawn_as_nothing(session: Session, clock: Clock) -> None:
    assert timeline.of([], [session], clock.now).bars == ()


def test_tokens_and_money_are_summed(session: Session, clock: Clock) -> None:
    usage = {"model": "m", "inputTokens": 10, "outputTokens": 2, "cacheReadTokens": None}
    found = [
        Mark(Cursor(1, 1), E.USAGE, clock.now, {**usage, "cost": 5}),
        Mark(Cursor(1, 2), E.USAGE, clock.now, {**usage, "cost": None}),
    ]
    totals = timeline.of(found, [session], clock.now).totals
    assert (totals.input_tokens, totals.output_tokens, totals.nano_credits) == (20, 4, 5)
