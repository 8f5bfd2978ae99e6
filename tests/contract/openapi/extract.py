"""Cuts what Journeyman serves out of GitHub's whole description.

`python -m tests.contract.openapi.extract api.github.com.json` writes github.json into the package.
The source is `api.github.com.json` of the npm package @octokit/openapi (MIT). Knows nothing of
Journeyman's own routes.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[3] / "src/journeyman/api/description/github.json"
WANTED = re.compile(
    r"/(meta|versions|rate_limit|zen|user|credentials/revoke|applications/\{client_id\}/(token|grant)"
    r"|agents/(repos|tasks).*|repos/\{owner\}/\{repo\}"
    r"|repos/\{owner\}/\{repo\}/(agents/.*|copilot/cloud-agent/configuration"
    r"|pulls|pulls/\{pull_number\}|pulls/\{pull_number\}/(files|commits|merge)"
    r"|branches|branches/\{branch\}|commits/\{ref\}|git/ref/\{ref\}|git/matching-refs/\{ref\})"
    r"|orgs/\{org\}/agents/.*)?"
)
NOT_SERVED = {
    ("patch", "/user"),
    ("patch", "/repos/{owner}/{repo}"),
    ("delete", "/repos/{owner}/{repo}"),
}
PROSE = {"example", "examples", "externalDocs", "tags", "title"}
LONGEST = 200


def without_prose(node: Any, *, names: bool = False) -> Any:
    """*names*: the keys of this mapping are names of properties or headers, never prose."""
    if isinstance(node, list):
        return [without_prose(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: shortened(value)
        if key == "description" and isinstance(value, str)
        else without_prose(value, names=not names and key in {"properties", "headers"})
        for key, value in node.items()
        if names or not (key in PROSE or key.startswith("x-"))
    }


def shortened(text: str) -> str:
    """The first paragraph, at most LONGEST characters; links become words."""
    first = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).strip().partition("\n")[0].strip()
    return first if len(first) <= LONGEST else first[:LONGEST].rpartition(" ")[0] + " …"


def references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(references, node.values()))


def components(source: dict[str, Any], paths: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Everything that *paths* refer to, however far."""
    found: dict[str, dict[str, Any]] = {}
    waiting = references(paths)
    while waiting:
        _, _, kind, name = waiting.pop().split("/")
        if name in found.get(kind, {}):
            continue
        part = without_prose(source["components"][kind][name])
        found.setdefault(kind, {})[name] = part
        waiting |= references(part)
    return {kind: dict(sorted(parts.items())) for kind, parts in sorted(found.items())}


def extract(source: dict[str, Any]) -> dict[str, Any]:
    paths = {}
    for path, operations in source["paths"].items():
        if WANTED.fullmatch(path):
            kept = {m: o for m, o in operations.items() if (m, path) not in NOT_SERVED}
            paths[path] = without_prose(kept)
    info = {"title": "Slice of GitHub's REST API", "version": source["info"]["version"]}
    return {
        "openapi": source["openapi"],
        "info": {**info, "license": source["info"]["license"]},
        "paths": paths,
        "components": components(source, paths),
    }


if __name__ == "__main__":
    description = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    text = json.dumps(extract(description), indent=1, ensure_ascii=False, sort_keys=True)
    TARGET.write_text(text + "\n", encoding="utf-8")
