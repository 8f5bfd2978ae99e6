"""The OpenAPI description: GitHub's, as far as it is served here, and that of our own routes.

`github.json` is cut out of GitHub's published description (MIT, see LICENSE-github) and not edited
by hand; `journeyman.json` is written by hand, and laid over it. Knows nothing of the route table; a
test compares.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

SECURITY = {"token": {"type": "http", "scheme": "bearer", "description": "Any user's token."}}

ERROR = {"$ref": "#/components/responses/error"}
"""GitHub leaves most errors of most operations out of its description."""


@cache
def document() -> dict[str, Any]:
    """Both as one document. Not to be changed by its readers."""
    github, own = _load("github.json"), _load("journeyman.json")
    paths = _laid_over(github["paths"], own["paths"])
    for operations in paths.values():
        for operation in operations.values():
            operation["responses"].setdefault("default", ERROR)
    kinds = {*github["components"], *own["components"]}
    parts = {
        kind: {**github["components"].get(kind, {}), **own["components"].get(kind, {})}
        for kind in sorted(kinds)
    }
    return {
        "openapi": github["openapi"],
        "info": own["info"],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {**parts, "securitySchemes": SECURITY},
    }


def _laid_over(below: Any, above: Any) -> Any:
    """Objects are joined key by key, lists one after the other; else *above* counts."""
    if isinstance(below, dict) and isinstance(above, dict):
        joined = {key: _laid_over(below.get(key), value) for key, value in above.items()}
        return {**below, **joined}
    if isinstance(below, list) and isinstance(above, list):
        return below + above
    return above


def _load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files(__name__).joinpath(name).read_text(encoding="utf-8"))
    return found
