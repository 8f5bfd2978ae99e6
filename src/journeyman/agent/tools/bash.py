"""The tool bash: one command in the sandbox, in a fresh shell, to its end."""

from __future__ import annotations

from pydantic import Field

from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, make_tool
from journeyman.sandbox import ExecResult, Sandbox

ENVIRONMENT = {
    "CI": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    # Bytecode is matched by whole seconds and size: a quick fix would be tested in its old form.
    "PYTHONDONTWRITEBYTECODE": "1",
}
OUTPUT_BYTES = 1 << 20
BLOCKED_SHOWN = 10


class Command(Arguments):
    """Run a bash command at the root of the repository and wait for its end.

    Each call is a fresh shell: `cd` and variables do not last, files and background processes do.
    There is no input and no terminal, so use flags that answer questions beforehand. Output past
    30,000 characters loses its middle: narrow it with grep, head or tail.
    """

    command: str = Field(min_length=1, description="The command, as bash reads it.")
    timeout: int = Field(
        default=120, ge=1, le=600, description="Seconds after which the command is killed."
    )


def tool(box: Sandbox) -> Tool:
    async def run(arguments: Command, on_partial: OnPartial) -> Result:
        ended = await box.exec(
            arguments.command,
            env=ENVIRONMENT,
            timeout_seconds=arguments.timeout,
            limit_bytes=OUTPUT_BYTES,
            on_output=on_partial,
        )
        output = ended.output.decode(errors="replace")
        if output and not output.endswith("\n"):
            output += "\n"
        return Result(
            text=f"{output}{_blocked(ended)}[{_last_line(ended, arguments.timeout)}]",
            success=ended.exit_code == 0 and not ended.timed_out,
            details={"exitCode": ended.exit_code, "timedOut": ended.timed_out},
        )

    return make_tool("bash", Command, run)


def _blocked(ended: ExecResult) -> str:
    """What the firewall refused, which the command's own words may hide."""
    lines = [
        f"[the firewall blocked {one.host}{f':{one.port}' if one.port else ''} ({one.method}"
        f"{f', {one.count} times' if one.count > 1 else ''}): it {one.reason}]\n"
        for one in ended.blocked[:BLOCKED_SHOWN]
    ]
    if len(ended.blocked) > BLOCKED_SHOWN:
        lines.append(f"[and {len(ended.blocked) - BLOCKED_SHOWN} more places]\n")
    return "".join(lines)


def _last_line(ended: ExecResult, timeout: int) -> str:
    if ended.timed_out:
        return (
            f"killed after {timeout} s, with all it started; give it a longer timeout, "
            "or run it in the background and look at its log"
        )
    said = f"exit {ended.exit_code}, {ended.seconds:.1f} s"
    return f"{said}; the middle of more than 1 MB of output is lost" if ended.truncated else said
