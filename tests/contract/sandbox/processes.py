"""What lives in a sandbox."""

from __future__ import annotations

from journeyman.sandbox import Sandbox


async def left(box: Sandbox) -> bytes:
    """What lives beside process 1 and the question itself."""
    question = "ps -e -o pid=,stat=,args= | awk '$1 != 1 && $2 !~ /^Z/ && !/ps -e -o|awk/'"
    return (await box.exec(question)).output
