"""The agent's tools: few and strong. One file each; `toolbox` and `files` hold what they share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from journeyman.agent.customisation.skills import Skill
from journeyman.agent.tools import (
    apply_patch,
    ask_user,
    bash,
    bash_kill,
    bash_wait,
    create,
    edit,
    glob,
    plan,
    search,
    skill,
    task,
    view,
    web_fetch,
)
from journeyman.agent.tools import report_progress as progress
from journeyman.agent.tools.jobs import Jobs
from journeyman.agent.tools.report_progress import ReportProgress
from journeyman.agent.tools.task import Helper
from journeyman.agent.tools.toolbox import Asking, Delegation, Result, Tool, Toolbox, ToolError
from journeyman.sandbox import Sandbox

__all__ = [
    "Asking",
    "Delegation",
    "Helper",
    "Jobs",
    "ReportProgress",
    "Result",
    "Tool",
    "ToolError",
    "Toolbox",
    "tools_for",
]


def tools_for(
    box: Sandbox,
    jobs: Jobs,
    *,
    report_progress: ReportProgress,
    allow_ask: bool,
    helpers: Mapping[str, Helper] | None = None,
    skills: Sequence[Skill] = (),
    more: Sequence[Tool] = (),
) -> Toolbox:
    """The tools of a session that works in *box*; *helpers*: the sub-agents it may have; *more*:
    of its MCP servers."""
    hands = [*_hands(box, jobs), *more]
    if skills:
        hands.append(skill.tool(skills))
    own = [plan.tool(), progress.tool(report_progress)]
    asking = [ask_user.tool()] if allow_ask else []
    delegating = [task.tool(helpers, Toolbox(hands))] if helpers else []
    return Toolbox([*hands, *own, *asking, *delegating])


def _hands(box: Sandbox, jobs: Jobs) -> list[Tool]:
    """What works on the repository: a sub-agent has these, and no others."""
    running = [module.tool(jobs) for module in (bash, bash_wait, bash_kill)]
    on_files = (view, edit, create, apply_patch, search, glob, web_fetch)
    return [*running, *(module.tool(box) for module in on_files)]
