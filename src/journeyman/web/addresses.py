"""The dashboard's own addresses. A task's is what the API gives out as `html_url`."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlencode

from journeyman.domain.repositories import Repository
from journeyman.domain.tasks import Task

HOME = "/agents"
NEW = "/agents/new"
OVERVIEW = "/agents/overview"
SETTINGS = "/settings"


def repository(found: Repository) -> str:
    return f"/{quote(found.full_name)}"


def tasks(found: Repository) -> str:
    return f"{repository(found)}/agents"


def task(found: Task, below: str = "") -> str:
    return f"{tasks(found.repository)}/tasks/{quote(found.id, safe='')}{below}"


def pulls(found: Repository) -> str:
    return f"{repository(found)}/pulls"


def pull(found: Repository, number: int) -> str:
    return f"{pulls(found)}/{number}"


def settings(found: Repository, below: str = "") -> str:
    return f"{repository(found)}/settings{below}"


def with_query(path: str, query: Mapping[str, object]) -> str:
    """*path* with what of *query* says something."""
    said = {key: str(value) for key, value in query.items() if value not in ("", None)}
    return f"{path}?{urlencode(said)}" if said else path
