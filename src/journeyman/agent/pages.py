"""HTML as text, converted in a process of its own: a hostile page costs that process, nothing else.

The converter holds Python's lock while it works, and takes seconds for some pages.
"""

from __future__ import annotations

import asyncio
import sys

SECONDS = 15.0
PROGRAM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (12, 12))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from html_to_markdown import ConversionOptions, PreprocessingOptions, convert
options = ConversionOptions(
    extract_metadata=False,
    skip_images=True,
    preprocessing=PreprocessingOptions(remove_navigation=False),
)
html = sys.stdin.buffer.read().decode(errors="replace")
sys.stdout.buffer.write((convert(html, options).content or "").encode(errors="replace"))
"""


class Unreadable(Exception):
    """The page could not be made into text."""


async def text_of(html: bytes) -> str:
    """What *html* says, as Markdown, without scripts, styles and comments."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-c",
        PROGRAM,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={},
    )
    try:
        async with asyncio.timeout(SECONDS):
            output, _ = await process.communicate(html)
    except TimeoutError as error:
        raise Unreadable(f"it could not be made into text within {SECONDS:.0f} s") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise Unreadable("it could not be made into text")
    return output.decode(errors="replace")
