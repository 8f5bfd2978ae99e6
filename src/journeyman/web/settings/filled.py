"""A form as it was filled in, with what was wrong: nothing typed is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from journeyman.domain.errors import AppError


@dataclass(frozen=True)
class Filled:
    """*sent* by the fields' names; a field that was not sent is empty."""

    sent: Mapping[str, str] = field(default_factory=dict)
    error: AppError | None = None
    names: frozenset[str] = frozenset()
    """Of the fields that an error can stand at; others stand above the form."""

    def value(self, name: str, default: str = "") -> str:
        return self.sent.get(name, default)

    def has(self, name: str) -> bool:
        return bool(self.sent.get(name))

    @property
    def wrong(self) -> Mapping[str, str]:
        """What is wrong, by the name of the field."""
        fields = self.error.fields if self.error else ()
        return {one.field: one.message for one in fields if one.field in self.names}

    @property
    def problem(self) -> str:
        """What is wrong and belongs to no field."""
        return "" if self.error is None or self.wrong else self.error.message

    @property
    def status(self) -> int:
        return 200 if self.error is None else 422
