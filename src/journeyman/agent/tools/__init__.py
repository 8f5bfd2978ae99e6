"""The agent's tools: few and strong. One file each; `toolbox` and `files` hold what they share."""

from __future__ import annotations

from journeyman.agent.tools import ask_user, bash, create, edit, search, view
from journeyman.agent.tools import report_progress as progress
from journeyman.agent.tools.report_progress import ReportProgress
from journeyman.agent.tools.toolbox import Asking, Result, Tool, Toolbox, ToolError
from journeyman.sandbox import Sandbox

__all__ = ["Asking", "ReportProgress", "Result", "Tool", "ToolError", "Toolbox", "tools_for"]


def tools_for(box: Sandbox, *, report_progress: ReportProgress, allow_ask: bool) -> Toolbox:
    """The tools of a session that works in *box*."""
    on_files = [module.tool(box) for module in (bash, view, edit, create, search)]
    asking = [ask_user.tool()] if allow_ask else []
    return Toolbox([*on_files, progress.tool(report_progress), *asking])
