"""Secret values never reach the log."""

from __future__ import annotations

from journeyman.agent.masking import SHOWN, Mask
from journeyman.domain.events import EventType, NewEvent

ENTRY = NewEvent(
    EventType.TOOL_COMPLETE,
    {"result": {"content": "key hunter22 end", "n": 7}, "hunter22": ["hunter22", None]},
    {"part": {"content": "hunter22"}},
)


def test_a_value_is_hidden_wherever_it_is() -> None:
    masked = Mask(["hunter22"]).event(ENTRY)

    assert masked.data == {
        "result": {"content": f"key {SHOWN} end", "n": 7},
        SHOWN: [SHOWN, None],
    }
    assert masked.record == {"part": {"content": SHOWN}}


def test_short_values_stay_for_they_are_in_every_text() -> None:
    assert Mask(["12345", ""]).event(ENTRY) == ENTRY


def test_the_longer_of_two_values_goes_first() -> None:
    assert Mask(["secret", "secret-longer"]).text("a secret-longer b secret") == (
        f"a {SHOWN} b {SHOWN}"
    )


def test_the_lines_of_a_key_are_found_one_by_one() -> None:
    assert Mask(["-----BEGIN\nabcdefgh\n"]).text("cat: abcdefgh") == f"cat: {SHOWN}"
