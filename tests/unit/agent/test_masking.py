"""Secret values never reach the log."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


VALUE = 'p&ss "wörd"/1+'


@pytest.mark.parametrize("offset", range(3))
@pytest.mark.parametrize("after", ["", "x", "xy"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_a_value_within_base64_is_hidden_wherever_it_begins(
    encode: Callable[[bytes], bytes], offset: int, after: str
) -> None:
    text = encode(b"u:"[:offset] + VALUE.encode() + after.encode()).decode()

    masked = Mask([VALUE]).text(f"Basic {text}")

    assert SHOWN in masked
    shown = masked.removeprefix("Basic ").replace(SHOWN, "")
    assert len(shown) <= 9, "no more than what its neighbours decide, and the padding"


@pytest.mark.parametrize(
    "form",
    [
        quote(VALUE, safe=""),
        quote_plus(VALUE),
        json.dumps({"k": VALUE})[7:-2],
        json.dumps(VALUE, ensure_ascii=False)[1:-1],
        html.escape(VALUE),
        VALUE.encode().hex(),
    ],
)
def test_the_forms_in_which_programs_print_a_value_are_hidden(form: str) -> None:
    assert Mask([VALUE]).text(f"<{form}>") == f"<{SHOWN}>"


def test_what_may_be_the_beginning_of_a_value_is_known() -> None:
    mask = Mask(["hunter22"])

    assert mask.unfinished("the key is hunt") == 4
    assert mask.unfinished("the key is hunter22") == 0
    assert mask.unfinished("nothing") == 0
    assert Mask().unfinished("hunt") == 0


@given(st.text(alphabet="ab", min_size=6, max_size=9), st.text(alphabet="ab"), st.data())
def test_however_a_text_is_cut_its_pieces_show_no_value(
    value: str, text: str, data: st.DataObject
) -> None:
    mask, shown, rest = Mask([value]), "", ""
    while text:
        size = data.draw(st.integers(1, len(text)))
        rest, text = mask.text(rest + text[:size]), text[size:]
        keep = mask.unfinished(rest)
        shown += rest[: len(rest) - keep]
        rest = rest[len(rest) - keep :]

    assert value not in shown
