"""Images: in what users send, in what tools show, and in a conversation that is cut."""

from __future__ import annotations

import base64

import pytest
from pydantic_ai.messages import (
    BinaryContent,
    ModelResponse,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from journeyman.agent import compaction, entries
from journeyman.agent.conversation import record_of_message
from journeyman.agent.images import with_images
from journeyman.agent.tools import Result
from journeyman.agent.tools.toolbox import Image
from journeyman.domain.events import EventType, NewEvent
from tests.unit.agent.journal import Journal

DATA = b"\x89PNG-not-really"
URI = f"data:image/png;base64,{base64.b64encode(DATA).decode()}"


def test_an_image_in_a_prompt_stands_where_it_was() -> None:
    assert with_images(f"Like this: ![mock]({URI}) please") == [
        "Like this: [image mock:]",
        BinaryContent(DATA, media_type="image/png"),
        " please",
    ]


def test_a_prompt_without_one_stays_a_text() -> None:
    assert with_images("see ![a](https://x.test/a.png)") == "see ![a](https://x.test/a.png)"


@pytest.mark.parametrize("piece", ["![", "![a", "![](data:a;base64,", "![](data:image/png"])
def test_a_text_that_begins_many_images_takes_no_longer_than_another(piece: str) -> None:
    text = piece * 300_000 + "](data:"

    assert with_images(text) == [text]


def test_what_is_no_image_that_can_be_shown_is_told() -> None:
    big = base64.b64encode(b"x" * ((3 << 20) + 1)).decode()
    assert "more than 3145728" in str(with_images(f"![a](data:image/png;base64,{big})"))
    assert "image/svg+xml is none of" in str(with_images("![a](data:image/svg+xml;base64,AAAA)"))
    assert "not valid base64" in str(with_images("![a](data:image/png;base64,AAA)"))


def test_an_image_of_a_tool_comes_back_from_the_log_and_goes_when_room_is_made() -> None:
    journal = Journal()
    journal.say(f"![mock]({URI})")
    journal.add(NewEvent(EventType.TURN_START, {"turnId": "1"}))
    call = ToolCallPart("view", {"path": "a.png"}, "c1")
    record = record_of_message(ModelResponse(parts=[call]))
    journal.add(NewEvent(EventType.MESSAGE, {"messageId": "m", "content": ""}, record))
    journal.add(
        entries.completion(call, Result("a.png", images=(Image("image/png", DATA),)), 0.1),
        NewEvent(EventType.TURN_START, {"turnId": "2"}),
    )
    conversation = journal.conversation()

    (prompt,) = conversation.messages[0].parts
    assert isinstance(prompt, UserPromptPart)
    assert isinstance(prompt.content, list)
    (shown,) = conversation.messages[-1].parts
    assert isinstance(shown, ToolReturnPart)
    (file,) = shown.files
    assert isinstance(file, BinaryContent)
    assert (file.data, file.media_type) == (DATA, "image/png")
    assert compaction.tokens(conversation.messages) > 2 * 1400
    (blank,) = compaction.blanked(conversation.messages, 3)[-1].parts
    assert isinstance(blank, ToolReturnPart)
    assert blank.files == []
    assert "image was left out" in blank.model_response_str()
