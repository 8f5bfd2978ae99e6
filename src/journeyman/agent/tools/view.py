"""The tool view: a file with line numbers, an image, or a directory two levels deep."""

from __future__ import annotations

from pydantic import Field

from journeyman.agent.text import CLIP_CHARS, LINE_CHARS
from journeyman.agent.tools import files
from journeyman.agent.tools.toolbox import (
    Arguments,
    Image,
    OnPartial,
    Result,
    Tool,
    ToolError,
    make_tool,
)
from journeyman.sandbox import Sandbox

LISTING_LINES = 500
SNIFF_BYTES = 8192
IMAGE_BYTES = 3 << 20
"""What every provider takes."""
SIGNATURES = {
    b"\x89PNG": "PNG image",
    b"\xff\xd8\xff": "JPEG image",
    b"GIF8": "GIF image",
    b"RIFF": "WebP image",
    b"%PDF": "PDF document",
    b"PK\x03\x04": "ZIP archive",
    b"\x1f\x8b": "gzip archive",
    b"\x7fELF": "ELF executable",
    b"SQLite format 3": "SQLite database",
}

IMAGES = {
    "PNG image": "image/png",
    "JPEG image": "image/jpeg",
    "GIF image": "image/gif",
    "WebP image": "image/webp",
}
"""Their media types."""


class Look(Arguments):
    """Show a file with line numbers, an image, or a directory two levels deep."""

    path: str = Field(min_length=1, description="From the root of the repository, or absolute.")
    start: int = Field(default=1, ge=1, description="The first line to show.")
    lines: int = Field(default=500, ge=1, le=2000, description="How many lines to show.")


def tool(box: Sandbox) -> Tool:
    async def run(arguments: Look, on_partial: OnPartial) -> Result:
        found = await files.find(box, arguments.path)
        if found is not None and found.type == "d":
            return Result(await _listing(box, arguments.path))
        data = await files.read(box, arguments.path)
        paths = files.touched(arguments.path)
        if (kind := _binary(data)) is not None:
            return _described(arguments.path, kind, data)
        return Result(_excerpt(data.decode(errors="replace"), arguments), paths=paths)

    return make_tool("view", Look, run, read_only=True)


async def _listing(box: Sandbox, path: str) -> str:
    where = files.absolute(path)
    depth = ["-mindepth", "1", "-maxdepth", "2"]
    skipped = ["-name", ".git", "-prune", "-o"]
    ended = await box.exec(
        ["find", where, *depth, *skipped, "-printf", "%y%P\\0"], timeout_seconds=files.PROBE_SECONDS
    )
    entries = [e for e in ended.output.decode(errors="replace").split("\0") if e]
    names = sorted(entry[1:] + ("/" if entry[0] == "d" else "") for entry in entries)
    if not names:
        return f"{path} is empty."
    shown = names[:LISTING_LINES]
    if len(names) > len(shown):
        shown.append(f"[… {len(names) - len(shown)} more: view a directory further down]")
    return "\n".join(shown)


def _binary(data: bytes) -> str | None:
    """What kind of binary file this is; None for a text."""
    if b"\0" not in data[:SNIFF_BYTES] and not data.startswith(b"%PDF"):
        return None
    known = (kind for mark, kind in SIGNATURES.items() if data.startswith(mark))
    kind = next(known, "binary file")
    return "binary file" if kind == "WebP image" and data[8:12] != b"WEBP" else kind


def _described(path: str, kind: str, data: bytes) -> Result:
    """What kind of file it is; with the image, when models know it and it is not too large."""
    said, media_type = f"{path}: {kind}, {len(data)} bytes", IMAGES.get(kind)
    if media_type is None:
        return Result(said, paths=files.touched(path))
    if len(data) > IMAGE_BYTES:
        return Result(f"{said}: too large to be shown", paths=files.touched(path))
    return Result(said, paths=files.touched(path), images=(Image(media_type, data),))


def _excerpt(text: str, arguments: Look) -> str:
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    if not lines:
        return f"{arguments.path} is empty."
    if arguments.start > len(lines):
        raise ToolError(f"{arguments.path} has only {len(lines)} lines.")
    shown, chars = list[str](), 0
    for line in lines[arguments.start - 1 :][: arguments.lines]:
        shown.append(line.rstrip("\r")[:LINE_CHARS])
        chars += len(shown[-1]) + 8
        if chars > CLIP_CHARS - LINE_CHARS:
            break
    last = arguments.start + len(shown) - 1
    more = f"\n[lines {arguments.start}-{last} of {len(lines)}; go on with start={last + 1}]"
    return files.numbered(shown, arguments.start) + (more if last < len(lines) else "")
