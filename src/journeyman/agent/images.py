"""Images in what a user sends: Markdown's images whose address is the data itself.

Knows nothing of models; those that take no images are told so by the model layer.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from pydantic_ai.messages import BinaryContent, UserContent

IMAGE_BYTES = 3 << 20
"""Larger ones are left out, as GitHub's agent does."""
MEDIA_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

_DATA = re.compile(r"!\[([^\]]{0,300}+)\]\(data:([\w/+.-]{1,100}+);base64,([A-Za-z0-9+/=\s]++)\)")
"""Takes time linear in a text's length, whatever it is."""


def with_images(text: str) -> str | Sequence[UserContent]:
    """*text* with each `![name](data:image/png;base64,…)` as an image in its place."""
    if "](data:" not in text:
        return text
    parts, position = list[UserContent](), 0
    for found in _DATA.finditer(text):
        name, media_type, encoded = found.groups()
        parts.append(f"{text[position : found.start()]}[image {name or 'without a name'}:]")
        parts.append(_image(media_type, encoded))
        position = found.end()
    parts.append(text[position:])
    return [part for part in parts if part]


def _image(media_type: str, encoded: str) -> UserContent:
    try:
        data = base64.b64decode("".join(encoded.split()), validate=True)
    except (ValueError, binascii.Error):
        return "[left out: it is not valid base64]"
    if media_type not in MEDIA_TYPES:
        return f"[left out: {media_type} is none of {', '.join(sorted(MEDIA_TYPES))}]"
    if len(data) > IMAGE_BYTES:
        return f"[left out: it has {len(data)} bytes, more than {IMAGE_BYTES}]"
    return BinaryContent(data, media_type=media_type)
