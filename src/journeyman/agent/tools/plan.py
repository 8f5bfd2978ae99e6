"""The tool plan: what is to be done and how far it is, for the user to follow."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from journeyman.agent.text import clean
from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, make_tool
from journeyman.domain.events import EventType, NewEvent

State = Literal["pending", "in_progress", "completed"]
MOST_STEPS = 50


class Step(Arguments):
    content: str = Field(min_length=1, max_length=500, description="What is to be done.")
    status: State = "pending"


class Plan(Arguments):
    """Write down the steps of a task that has several, and mark them as you go.

    Each call replaces the whole list. One step is in progress at a time; mark it completed as soon
    as it is. The list is shown to the user, and it stays when the conversation is cut.
    """

    steps: list[Step] = Field(min_length=1, max_length=MOST_STEPS)


def tool() -> Tool:
    async def run(arguments: Plan, on_partial: OnPartial) -> Result:
        steps = [{"content": clean(s.content), "status": s.status} for s in arguments.steps]
        done = sum(step["status"] == "completed" for step in steps)
        told = NewEvent(EventType.PLAN, {"steps": steps})
        return Result(f"Noted: {done} of {len(steps)} steps are completed.", events=(told,))

    return make_tool("plan", Plan, run, read_only=True)
