"""Gitea's and Forgejo's published Swagger as the types of clients that were generated from it, from
the npm packages that carry them, and what holds a request or an answer against it.

Swagger itself is in no package. The types say each operation, its parameters and fields, and
neither which field may be null nor which errors there are: every field of an answer may be null
here, as in many of Gitea's, and an error has the shape of `APIError`.
"""

from __future__ import annotations

import json
import re
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import jsonschema_rs

PACKAGES = {"gitea": "gitea-js@1.23.0", "forgejo": "forgejo-js@11.0.0"}
FILE = "package/dist/index.d.ts"
TO_THE_END = ("branch", "filepath", "head")
"""Parameters of a path that may have slashes in them."""
PLAIN = {"string": "string", "boolean": "boolean", "number": "number", "object": "object"}
_TOKEN = re.compile(r"/\*.*?\*/|'[^']*'|=>|[\w$]+|[^\s]", re.DOTALL)
_FORMAT = re.compile(r"@format ([\w-]+)")

Schema = dict[str, Any]


def fetch(directory: Path, name: str) -> str:
    """The types, as TypeScript. *name*: one of PACKAGES."""
    command = [*("npm", "pack", PACKAGES[name], "--silent", "--pack-destination"), str(directory)]
    subprocess.run(command, check=True, capture_output=True, timeout=300, cwd=directory)
    (archive,) = directory.glob("*.tgz")
    with tarfile.open(archive) as packed:
        member = packed.extractfile(FILE)
        assert member is not None
        return member.read().decode()


@dataclass(frozen=True)
class Operation:
    query: Schema
    body: Schema | None
    answer: Schema | None


class Reader:
    """Reads types from TypeScript's tokens. Comments count only where they tell a format."""

    def __init__(self, text: str) -> None:
        self._tokens = _TOKEN.findall(text)
        self._at = 0
        self._format = ""

    @property
    def next(self) -> str:
        while self._tokens[self._at].startswith("/*"):
            found = _FORMAT.search(self._tokens[self._at])
            self._format = found[1] if found else self._format
            self._at += 1
        return str(self._tokens[self._at])

    def take(self, wanted: str = "") -> str:
        token = self.next
        assert not wanted or token == wanted, f"{token} where {wanted} should be"
        self._at += 1
        return token

    def took(self, token: str) -> bool:
        if self.next == token:
            self._at += 1
            return True
        return False

    def type(self) -> Schema:
        """A type, or several of which it is one."""
        kinds = [self._one()]
        while self.took("|"):
            kinds.append(self._one())
        return kinds[0] if len(kinds) == 1 else {"anyOf": kinds}

    def _one(self) -> Schema:
        token = self.take()
        if token == "{":
            found = self.fields("}")
        elif token == "(":
            found = self.type()
            self.take(")")
        elif token.startswith("'"):
            found = {"const": token.strip("'")}
        else:
            found = self._named(token)
        while self.took("["):
            self.take("]")
            found = {"type": "array", "items": found}
        return found

    def _named(self, name: str) -> Schema:
        if self.took("<"):
            inside = [self.type()]
            while self.took(","):
                inside.append(self.type())
            self.take(">")
            return {"type": "object"} if name == "Record" else inside[0]
        if name in PLAIN:
            format, self._format = self._format, ""
            if name == "number" and format.startswith("int"):
                return {"type": "integer"}
            return {"type": PLAIN[name], **({"format": format} if format == "date-time" else {})}
        return {} if name in ("any", "void", "File") else {"$ref": f"#/$defs/{name}"}

    def fields(self, end: str) -> Schema:
        properties, required = {}, []
        while not self.took(end):
            name = self.take().strip("'")
            if not self.took("?"):
                required.append(name)
            self.take(":")
            properties[name] = self.type()
            if not self.took(";"):
                self.took(",")
        return {"type": "object", "properties": properties, "required": required}


class Description:
    def __init__(self, types: str) -> None:
        self._defs = dict(_definitions(types))
        self._operations = dict(_operations(types))
        # Gitea's router takes the more exact ones first.
        by_length = sorted(
            self._operations,
            key=lambda one: (
                any(f"{{{n}}}" in one[1] for n in TO_THE_END),
                one[1].count("{"),
                one[1],
            ),
        )
        self._templates = [(method, _pattern(path), path) for method, path in by_length]
        self._validators: dict[tuple[str, bool], jsonschema_rs.Validator] = {}

    def operation(self, method: str, path: str) -> Operation | None:
        for known, pattern, template in self._templates:
            if known == method and pattern.fullmatch(path):
                return self._operations[method, template]
        return None

    def faults_of_request(self, method: str, path: str, query: str, body: bytes) -> list[str]:
        operation, where = self.operation(method, path), f"{method} {path}"
        if operation is None:
            return [f"{where}: Gitea has no such operation"]
        known = operation.query.get("properties", {})
        faults = [
            f"{where}: unknown parameter {n}={v}" for n, v in parse_qsl(query) if n not in known
        ]
        if operation.body is None:
            return [*faults, f"{where}: has a body"] if body else faults
        return faults + self._wrong(where, operation.body, json.loads(body or b"null"), null=False)

    def faults_of_answer(self, method: str, path: str, status: int, body: bytes) -> list[str]:
        operation, where = self.operation(method, path), f"{method} {path} -> {status}"
        if operation is None or not body:
            return []
        found = json.loads(body)
        if status >= 400:
            return self._wrong(where, {"$ref": "#/$defs/APIError"}, found, null=True)
        if operation.answer is None:
            return [f"{where}: has a body"]
        if isinstance(found, list) and "/contents/" in path:  # so its summary says, of a directory
            found = found[0] if found else None
        if (
            found is None and operation.answer.get("type") == "array"
        ):  # as Go writes some without any
            found = []
        return self._wrong(where, operation.answer, found, null=True)

    def _wrong(self, where: str, schema: Schema, value: Any, *, null: bool) -> list[str]:
        key = json.dumps(schema), null
        if key not in self._validators:
            whole = _closed({**schema, "$defs": self._defs}, null=null)
            self._validators[key] = jsonschema_rs.validator_for(whole, validate_formats=True)
        found = self._validators[key].iter_errors(value)
        return [f"{where}: {list(one.instance_path)}: {one.message[:300]}" for one in found]


def _definitions(types: str) -> Iterator[tuple[str, Schema]]:
    for match in re.finditer(r"^(?:export )?interface (\w+) \{", types, re.MULTILINE):
        yield match[1], Reader(types[match.end() :]).fields("}")
    for match in re.finditer(
        r"^(?:export )?type (\w+) = (?=['\w]+(?:\[\])?;)", types, re.MULTILINE
    ):
        yield match[1], Reader(types[match.end() :]).type()


def _operations(types: str) -> Iterator[tuple[tuple[str, str], Operation]]:
    for part in types.split("@request ")[1:]:
        method, _, path = part.split(maxsplit=1)[0].partition(":")
        reader = Reader(part[part.index("*/") + 2 :])
        reader.take()
        reader.take(":")
        reader.take("(")
        given = reader.fields(")")["properties"]
        reader.take("=>")
        answer = reader.type()  # Promise<HttpResponse<T, any>>
        body = [
            v
            for n, v in given.items()
            if n not in ("query", "params") and f"{{{_camel(path, n)}}}" not in path
        ]
        yield (
            (method, path),
            Operation(given.get("query", {}), body[0] if body else None, answer or None),
        )


def _camel(path: str, name: str) -> str:
    """The parameter of the path that *name* stands for: names are written otherwise in code."""
    named = re.findall(r"\{(\w+)\}", path)
    return next((one for one in named if one.replace("_", "").lower() == name.lower()), name)


def _pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+)\}", path)
    made = [
        re.escape(p) if i % 2 == 0 else ".+" if p in TO_THE_END else "[^/]+"
        for i, p in enumerate(parts)
    ]
    return re.compile("".join(made))


def _closed(schema: Any, *, null: bool) -> Any:
    """No field but the known; where *null*, each may be null."""
    if isinstance(schema, list):
        return [_closed(one, null=null) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value, null=null) for key, value in schema.items()}
    if isinstance(made.get("properties"), dict) and made.get("type") == "object":
        made["additionalProperties"] = False
        if null:
            either = {k: {"anyOf": [v, {"type": "null"}]} for k, v in made["properties"].items()}
            made |= {"properties": either, "required": []}
    return made
