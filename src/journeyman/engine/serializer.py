"""How step results are written: JSON that comes back as what went in, never pickle."""

from __future__ import annotations

import json
from typing import Any

from dbos import Serializer


class StepFailed(Exception):
    """An exception of a recorded step, read back: its own class is not kept."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")


class StrictJson(Serializer):
    """ASCII JSON, so that lone surrogates survive; refuses values that would come back as
    another type."""

    def name(self) -> str:
        return "journeyman_json"

    def serialize(self, data: Any) -> str:
        if isinstance(data, BaseException):
            data = {"__exception__": type(data).__name__, "message": str(data)}
        elif isinstance(data, dict) and set(data) == {"args", "kwargs"}:
            data = {"args": list(data["args"]), "kwargs": data["kwargs"]}
        else:
            _check(data)
        return json.dumps(data, separators=(",", ":"))

    def deserialize(self, serialized_data: str) -> Any:
        data = json.loads(serialized_data)
        if isinstance(data, dict) and set(data) == {"args", "kwargs"}:
            data["args"] = tuple(data["args"])
        elif isinstance(data, dict) and "__exception__" in data:
            return StepFailed(data["__exception__"], data["message"])
        return data


def _check(data: Any) -> None:
    match data:
        case None | bool() | int() | float() | str():
            return
        case list():
            for item in data:
                _check(item)
        case dict():
            for key, value in data.items():
                if not isinstance(key, str):
                    raise TypeError(f"JSON keys are strings, not {type(key).__name__}")
                _check(value)
        case _:
            raise TypeError(f"a step returns plain JSON, not {type(data).__name__}")
