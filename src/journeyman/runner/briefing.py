"""What the agent is told of its repository, read from the commit that the work starts from."""

from __future__ import annotations

from journeyman.agent.instructions import FILES, Briefing, system_prompt
from journeyman.domain.held import Held
from journeyman.sandbox import FileRefused, Sandbox

FILE_LIMIT = 256 << 10
"""Bytes; what is longer is not read at all."""


async def instructions(held: Held, base_sha: str, box: Sandbox) -> str:
    """The system prompt. Not from the working tree: the agent must not write its own orders."""
    files = {}
    for path in FILES:
        try:
            text = await box.export(["git", "show", f"{base_sha}:{path}"], limit_bytes=FILE_LIMIT)
        except FileRefused:
            continue
        files[path] = text.decode("utf-8", "replace")
    briefing = Briefing(
        repository=held.repository.full_name,
        branch=held.session.head_ref,
        base_ref=held.session.base_ref,
        base_sha=base_sha,
        can_ask=True,
    )
    return system_prompt(briefing, files)
