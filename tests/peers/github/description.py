"""GitHub's published OpenAPI description, from the npm package that carries it, and what holds a
request or an answer against it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs

PACKAGE = "@octokit/openapi@23.0.2"
FILE = "package/generated/{}.json"
ANYWHERE = frozenset({301, 307, 401, 403, 404, 429, 500, 502, 503})
"""Statuses that the description leaves out of many operations."""


def fetch(directory: Path, name: str = "api.github.com") -> Path:
    """The description's file. *name*: of one edition, as `ghes-3.19`."""
    command = [*("npm", "pack", PACKAGE, "--silent", "--pack-destination"), str(directory)]
    subprocess.run(command, check=True, capture_output=True, timeout=300, cwd=directory)
    (archive,) = directory.glob("*.tgz")
    with tarfile.open(archive) as packed:
        member = packed.extractfile(FILE.format(name))
        assert member is not None
        with (directory / f"{name}.json").open("wb") as file:
            shutil.copyfileobj(member, file)
    archive.unlink()
    return directory / f"{name}.json"


class Description:
    def __init__(self, file: Path) -> None:
        self._source = json.loads(file.read_text(encoding="utf-8"))
        self._cut: dict[str, dict[str, Any]] = {}
        self._validators: dict[str, jsonschema_rs.Validator] = {}
        paths = sorted(self._source["paths"], key=lambda path: (path.count("{"), -len(path)))
        self._templates: list[tuple[re.Pattern[str], str]] = [(_pattern(p), p) for p in paths]

    def template(self, method: str, path: str) -> str | None:
        for pattern, template in self._templates:
            if pattern.fullmatch(path) and method.lower() in self._source["paths"][template]:
                return template
        return None

    def operation(self, method: str, template: str) -> dict[str, Any]:
        found: dict[str, Any] = self._source["paths"][template][method.lower()]
        return found

    def faults_of_request(self, method: str, path: str, query: str, body: bytes) -> list[str]:
        template = self.template(method, path)
        if template is None:
            return [f"{method} {path}: GitHub has no such operation"]
        operation = self.operation(method, template)
        known = {p["name"]: p for p in map(self._resolved, operation.get("parameters", []))}
        faults = [
            f"{method} {path}: unknown parameter {name}={value}"
            for name, value in parse_qsl(query)
            if name not in known or known[name]["in"] != "query"
        ]
        content = self._resolved(operation.get("requestBody", {})).get("content", {})
        if schema := content.get("application/json", {}).get("schema"):
            faults += self._wrong(f"{method} {path} request", schema, json.loads(body or b"{}"))
            named = set(self._properties(schema))
            faults += [
                f"{method} {path}: unknown field {name}"
                for name in set(json.loads(body or b"{}")) - named
            ]
        elif body:
            faults.append(f"{method} {path}: has a body")
        return faults

    def faults_of_answer(self, method: str, path: str, status: int, body: bytes) -> list[str]:
        template = self.template(method, path)
        if template is None:
            return []
        where = f"{method} {path} -> {status}"
        responses = self.operation(method, template)["responses"]
        if str(status) not in responses:
            return [] if status in ANYWHERE else [f"{where}: undocumented"]
        schema = self.answer_schema(method, template, status)
        return [] if schema is None or not body else self._wrong(where, schema, json.loads(body))

    def answer_schema(self, method: str, template: str, status: int) -> dict[str, Any] | None:
        response = self._resolved(self.operation(method, template)["responses"][str(status)])
        found: dict[str, Any] | None = (
            response.get("content", {}).get("application/json", {}).get("schema")
        )
        return found

    def filled(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """An object of the component *name*: *given*, and the least that it needs beside it."""
        made: dict[str, Any] = self._least({"$ref": f"#/components/schemas/{name}"})
        unknown = set(given) - set(self._properties({"$ref": f"#/components/schemas/{name}"}))
        assert not unknown, f"{name} has no {unknown}"
        return {**made, **given}

    def _least(self, schema: Mapping[str, Any]) -> Any:
        schema = self._resolved(schema)
        if schema.get("nullable"):
            return None
        if "enum" in schema:
            return schema["enum"][0]
        for several in ("oneOf", "anyOf"):
            if several in schema and "properties" not in schema:
                return self._least(schema[several][0])
        if "allOf" in schema:
            parts = [self._least(part) for part in schema["allOf"]]
            return {key: value for part in parts for key, value in part.items()}
        return self._least_of_type(schema)

    def _least_of_type(self, schema: Mapping[str, Any]) -> Any:
        match schema.get("type", "object"):
            case "object":
                fields = schema.get("properties", {})
                return {
                    name: self._least(fields.get(name, {})) for name in schema.get("required", ())
                }
            case "array":
                return []
            case "string":
                return STRINGS.get(schema.get("format", ""), "x" * schema.get("minLength", 1))
            case "boolean":
                return False
            case _:
                return schema.get("minimum", 0)

    def _properties(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        schema = self._resolved(schema)
        found = dict(schema.get("properties", {}))
        for several in ("allOf", "oneOf", "anyOf"):
            for part in schema.get(several, ()):
                found |= self._properties(part)
        return found

    def _wrong(self, where: str, schema: Mapping[str, Any], value: Any) -> list[str]:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            needed = self._with_references(schema)
            self._validators[key] = jsonschema_rs.validator_for(
                {**_dialect(schema), "components": needed}, validate_formats=True
            )
        errors = self._validators[key].iter_errors(value)
        return [f"{where}: {error.message} at {list(error.instance_path)}" for error in errors][:3]

    def _with_references(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        """The components that *schema* refers to, however far."""
        found: dict[str, Any] = {}
        waiting = _references(schema)
        while waiting:
            _, _, kind, name = waiting.pop().split("/")
            if name not in found.get(kind, {}):
                part = self._source["components"][kind][name]
                found.setdefault(kind, {})[name] = _dialect(part)
                waiting |= _references(part)
        return found

    def _resolved(self, node: Mapping[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            _, _, kind, name = node["$ref"].split("/")
            node = self._source["components"][kind][name]
        return dict(node)


STRINGS = {"uri": "https://github.test/x", "date-time": "2026-01-02T03:04:05Z"}


@cache
def _pattern(path: str) -> re.Pattern[str]:
    """A branch's name may have slashes, and so may a file's."""
    wide = re.sub(r"\\{(ref|branch|path)\\}", ".+", re.escape(path))
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", wide))


def _references(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(_references, node))
    if not isinstance(node, dict):
        return set()
    own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
    return own.union(*map(_references, node.values()))


def _dialect(node: Any) -> Any:
    """OpenAPI 3.0's `nullable` as a type of JSON Schema."""
    if isinstance(node, list):
        return [_dialect(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {key: _dialect(value) for key, value in node.items() if key not in PROSE}
    if changed.pop("nullable", None) is not True:
        return changed
    return {"anyOf": [changed, {"type": "null"}]}


PROSE = ("example", "examples", "discriminator")
