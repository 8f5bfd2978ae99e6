"""The tool plan."""

from __future__ import annotations

import pytest
from pydantic_ai.messages import ToolCallPart

from journeyman.agent.tools import ToolError, plan
from journeyman.domain.events import EventType, NewEvent


async def test_a_plan_is_noted_as_an_event() -> None:
    steps = [{"content": "Look", "status": "completed"}, {"content": "Change"}]
    tool = plan.tool()

    result = await tool.run(tool.parse(ToolCallPart("plan", {"steps": steps})), print)

    assert result.text == "Noted: 1 of 2 steps are completed."
    expected = {"steps": [steps[0], {"content": "Change", "status": "pending"}]}
    assert result.events == (NewEvent(EventType.PLAN, expected),)


def test_a_wrong_state_is_told() -> None:
    call = ToolCallPart("plan", {"steps": [{"content": "Look", "status": "done"}]})

    with pytest.raises(ToolError, match=r"steps\.0\.status: .*'in_progress'"):
        plan.tool().parse(call)
