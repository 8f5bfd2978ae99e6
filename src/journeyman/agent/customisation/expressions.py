"""The expressions of GitHub's workflow files: `${{ … }}` in texts, and whole in an `if`.

As GitHub describes them under "Evaluate expressions in workflows and actions": loose comparison,
texts compared without regard to case. Knows nothing of steps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

STATUS = frozenset({"success", "failure", "always", "cancelled"})
LONGEST = 4_000
_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?))|'(?P<text>(?:[^']|'')*)'"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_-]*)|(?P<sign>==|!=|<=|>=|&&|\|\||[!<>()\[\].,*]))"
)
_TEMPLATE = re.compile(r"\$\{\{((?:(?!\$\{\{|\}\}).)*+)\}\}", re.DOTALL)
_CALLED = re.compile(r"\b(\w++)\s*+\(")
_HASHED = re.compile(r"hashFiles\(([^()]*+)\)")
_COMPARED = ("==", "!=", "<", "<=", ">", ">=")

Function = Callable[..., Any]


class Unsupported(ValueError):
    """The expression is broken, or uses what there is not here."""


def fill(text: str, contexts: Mapping[str, Any], functions: Mapping[str, Function]) -> str:
    """*text* with each `${{ … }}` replaced by its value."""
    return _TEMPLATE.sub(lambda found: shown(value(found[1], contexts, functions)), text)


def holds(
    condition: str | bool | None,
    contexts: Mapping[str, Any],
    functions: Mapping[str, Function],
) -> bool:
    """Whether a step's `if` lets it run: without a word on the status, only after success."""
    if condition is None or condition == "":
        return bool(functions["success"]())
    text = str(condition).lower() if isinstance(condition, bool) else condition
    whole = _TEMPLATE.fullmatch(text.strip())
    expression = whole[1] if whole else text
    if "${{" in expression:
        expression = _TEMPLATE.sub(lambda found: f"({found[1]})", expression)
    asks = {name.lower() for name in _CALLED.findall(expression)} & STATUS
    return _truth(value(expression, contexts, functions)) and bool(asks or functions["success"]())


def hashed(texts: Sequence[str]) -> set[tuple[str, ...]]:
    """The arguments of every `hashFiles('…')` in *texts*."""
    found = set()
    for text in texts:
        for call in _HASHED.findall(text):
            found.add(tuple(re.findall(r"'([^']*)'", call)))
    return found


def value(expression: str, contexts: Mapping[str, Any], functions: Mapping[str, Function]) -> Any:
    """Raises Unsupported."""
    if len(expression) > LONGEST:
        raise Unsupported(f"an expression of more than {LONGEST} characters")
    try:
        return _Parser(_tokens(expression), contexts, functions).whole()
    except RecursionError as error:
        raise Unsupported("an expression that is nested too deep") from error


def shown(result: Any) -> str:
    """As GitHub puts a value into a text."""
    match result:
        case None:
            return ""
        case bool():
            return str(result).lower()
        case float():
            return f"{result:g}" if abs(result) < 1e15 else str(result)
        case dict() | list():
            return json.dumps(result)
        case _:
            return str(result)


def _tokens(expression: str) -> list[tuple[str, str]]:
    found, at = list[tuple[str, str]](), 0
    text = expression.rstrip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            raise Unsupported(f"{text[at:].strip()[:40]!r} is not understood")
        kind = str(token.lastgroup)
        found.append((kind, token[kind]))
        at = token.end()
    return [*found, ("end", "")]


class _Parser:
    """A value per rule; what is left of `&&` and `||` decides but both sides are read."""

    def __init__(
        self,
        tokens: list[tuple[str, str]],
        contexts: Mapping[str, Any],
        functions: Mapping[str, Function],
    ) -> None:
        self._tokens = tokens
        self._at = 0
        self._contexts = contexts
        self._functions = {name.lower(): call for name, call in {**_PURE, **functions}.items()}

    def whole(self) -> Any:
        result = self._either()
        if self._next[0] != "end":
            raise Unsupported(f"{self._next[1]!r} is not expected there")
        return result

    @property
    def _next(self) -> tuple[str, str]:
        return self._tokens[self._at]

    def _take(self, *signs: str) -> str | None:
        kind, text = self._next
        if kind == "sign" and text in signs:
            self._at += 1
            return text
        return None

    def _need(self, sign: str) -> None:
        if self._take(sign) is None:
            raise Unsupported(f"{sign!r} is missing")

    def _either(self) -> Any:
        left = self._both()
        while self._take("||"):
            right = self._both()
            left = left if _truth(left) else right
        return left

    def _both(self) -> Any:
        left = self._compared()
        while self._take("&&"):
            right = self._compared()
            left = right if _truth(left) else left
        return left

    def _compared(self) -> Any:
        left = self._negated()
        while sign := self._take(*_COMPARED):
            left = _compare(left, sign, self._negated())
        return left

    def _negated(self) -> Any:
        if self._take("!"):
            return not _truth(self._negated())
        return self._member()

    def _member(self) -> Any:
        found = self._primary()
        while True:
            if self._take("."):
                kind, name = self._next
                if kind != "name":
                    raise Unsupported("a name is missing behind '.'; '.*' is not supported")
                self._at += 1
                found = _in(found, name)
            elif self._take("["):
                name = self._either()
                self._need("]")
                found = _in(found, shown(name))
            else:
                return found

    def _primary(self) -> Any:
        kind, text = self._next
        self._at += 1
        match kind:
            case "number":
                return float(int(text, 16)) if "0x" in text else float(text)
            case "text":
                return text.replace("''", "'")
            case "name":
                return self._named(text)
            case "sign" if text == "(":
                found = self._either()
                self._need(")")
                return found
        raise Unsupported(f"{text!r} is not expected there" if text else "it ends too early")

    def _named(self, name: str) -> Any:
        if name.lower() in ("true", "false", "null"):
            return {"true": True, "false": False, "null": None}[name.lower()]
        if not self._take("("):
            if name.lower() not in self._contexts:
                raise Unsupported(f"there is no context {name!r} here")
            return self._contexts[name.lower()]
        arguments = list[Any]()
        while not self._take(")"):
            if arguments:
                self._need(",")
            arguments.append(self._either())
        if name.lower() not in self._functions:
            raise Unsupported(f"there is no function {name!r} here")
        try:
            return self._functions[name.lower()](*arguments)
        except (TypeError, ValueError, IndexError) as error:
            raise Unsupported(f"{name}: {error}") from error


def _in(holder: Any, name: str) -> Any:
    if isinstance(holder, Mapping):
        return next((held for key, held in holder.items() if key.lower() == name.lower()), None)
    if isinstance(holder, list) and name.isdecimal() and int(name) < len(holder):
        return holder[int(name)]
    return None


def _truth(result: Any) -> bool:
    return result not in (None, False, 0.0, "")


def _compare(left: Any, sign: str, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str):
        one: Any = left.lower()
        other: Any = right.lower()
    else:
        one, other = _number(left), _number(right)
    match sign:
        case "==":
            return bool(one == other)
        case "!=":
            return bool(one != other)
        case "<":
            return bool(one < other)
        case "<=":
            return bool(one <= other)
        case ">":
            return bool(one > other)
    return bool(one >= other)


def _number(result: Any) -> float:
    """As GitHub coerces: nothing and false are 0, what is no number is not equal to anything."""
    match result:
        case None:
            return 0.0
        case bool() | int() | float():
            return float(result)
        case str():
            try:
                return float(result) if result.strip() else 0.0
            except ValueError:
                return float("nan")
    return float("nan")


def _format(text: str, *values: Any) -> str:
    return re.sub(r"\{(\d+)\}", lambda found: shown(values[int(found[1])]), text)


def _contains(where: Any, what: Any) -> bool:
    if isinstance(where, list):
        return any(_compare(item, "==", what) for item in where)
    return shown(what).lower() in shown(where).lower()


_PURE: Mapping[str, Function] = {
    "contains": _contains,
    "startsWith": lambda text, start: shown(text).lower().startswith(shown(start).lower()),
    "endsWith": lambda text, end: shown(text).lower().endswith(shown(end).lower()),
    "format": _format,
    "join": lambda items, by=",": shown(by).join(map(shown, items)),
    "toJSON": lambda result: json.dumps(result, indent=2),
    "fromJSON": json.loads,
}
