"""What lives in a sandbox."""

from __future__ import annotations

from journeyman.sandbox import Sandbox


async def left(box: Sandbox) -> bytes:
    """What lives beside process 1 and the question itself."""
    # Asked before it is sorted: in the middle of its exec awk would be a shell without arguments.
    question = (
        'all=$(ps -e -o pid=,stat=,args=); echo "$all" | '
        "awk '$1 != 1 && $2 !~ /^Z/ && !/ps -e -o/'"
    )
    return (await box.exec(question)).output
