"""The table of states."""

from __future__ import annotations

import itertools

import pytest

from journeyman.domain.errors import AppError, Code
from journeyman.domain.sessions import ACTIVE, FINAL, TRANSITIONS, State, transition


def test_every_state_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(State)


def test_the_states_that_end_a_session_lead_nowhere() -> None:
    assert {State.COMPLETED, State.FAILED, State.TIMED_OUT, State.CANCELLED} == FINAL
    assert ACTIVE.isdisjoint(FINAL)


@pytest.mark.parametrize(("current", "new"), list(itertools.product(State, State)))
def test_a_transition_is_allowed_by_the_table_alone(current: State, new: State) -> None:
    if new in TRANSITIONS[current]:
        assert transition(current, new) is new
        return
    with pytest.raises(AppError) as refused:
        transition(current, new)
    assert refused.value.code is Code.CONFLICT
    assert current in refused.value.message
    assert new in refused.value.message


def test_every_active_state_can_be_cancelled() -> None:
    assert all(State.CANCELLED in TRANSITIONS[state] for state in ACTIVE)
