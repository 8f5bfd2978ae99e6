"""The API as the commands use it: a method per request, errors as AppError. Prints nothing."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from journeyman import __version__, config
from journeyman.domain.errors import AppError, Code

TIMEOUT_SECONDS = 30
PAGE = 100
CODES = {
    400: Code.BAD_REQUEST,
    401: Code.UNAUTHENTICATED,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    409: Code.CONFLICT,
    422: Code.INVALID,
}
UNPERMITTED = "Resource not accessible by personal access token"
SHORT_ID = re.compile(r"[0-9a-f-]{6,35}")
"""Of a UUID's 36 characters."""
PAST_PROXIES = {f"all://{host}": None for host in ("127.0.0.1", "localhost", "[::1]")}
"""No proxy of the environment reaches this machine's loopback."""
TOKENLESS = (
    "no token: set JOURNEYMAN_TOKEN; on the server's machine, "
    "`journeyman token create --user NAME` makes one."
)


class Client:
    def __init__(self, settings: config.Client) -> None:
        if not settings.token:
            raise AppError(Code.UNAUTHENTICATED, TOKENLESS)
        self.url = settings.url
        self._ids: dict[str, str] = {}
        """By what was typed."""
        self.http = httpx.Client(
            base_url=settings.url,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {settings.token}",
                "User-Agent": f"journeyman/{__version__}",
                "X-GitHub-Api-Version": "2022-11-28",
            },
            timeout=TIMEOUT_SECONDS,
            follow_redirects=True,  # a repository that was renamed
            mounts=PAST_PROXIES,
            # An unencrypted server needs no certificates, and loading them is slow.
            verify=settings.url.startswith("https") or _no_certificates(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()

    def create_task(self, repository: str, body: Mapping[str, Any]) -> dict[str, Any]:
        task: dict[str, Any] = self._json("POST", f"/agents/repos/{repository}/tasks", json=body)
        return task

    def get_task(self, task_id: str) -> dict[str, Any]:
        task: dict[str, Any] = self._json("GET", self.task_path(task_id))
        return task

    def list_tasks(
        self, repository: str | None, *, states: str | None, limit: int, archived: bool = False
    ) -> list[dict[str, Any]]:
        path = f"/agents/repos/{repository}/tasks" if repository else "/agents/tasks"
        per_page = min(limit, PAGE)
        params: dict[str, Any] = {"per_page": per_page, **({"state": states} if states else {})}
        if archived:
            params["is_archived"] = "true"
        tasks: list[dict[str, Any]] = []
        while len(tasks) < limit:
            params["page"] = len(tasks) // per_page + 1
            found = self._json("GET", path, params=params)["tasks"]
            tasks += found
            if len(found) < per_page:
                break
        return tasks[:limit]

    def list_events(self, task_id: str, *, after: int = 0) -> Iterator[dict[str, Any]]:
        """The log, oldest first, without its first *after* events."""
        page, known = after // PAGE + 1, after % PAGE
        while True:
            params = {"per_page": PAGE, "page": page}
            events = self._json("GET", self.task_path(task_id, "events"), params=params)["events"]
            yield from events[known:]
            known = 0
            if len(events) < PAGE:
                return
            page += 1

    def patch(self, task_id: str) -> str:
        return self.request("GET", self.task_path(task_id, "patch")).text

    def cancel(self, task_id: str) -> dict[str, Any]:
        answer = self.request("POST", self.task_path(task_id, "cancel"))
        return dict(answer.json()) if answer.content else {}

    def pause(self, task_id: str) -> dict[str, Any]:
        task: dict[str, Any] = self._json("POST", self.task_path(task_id, "pause"))
        return task

    def archive(self, task_id: str, verb: str) -> dict[str, Any]:
        """*verb*: archive or unarchive."""
        task: dict[str, Any] = self._json("POST", self.task_path(task_id, verb))
        return task

    def open_pull(self, repository: str, task_id: str) -> dict[str, Any]:
        pull: dict[str, Any] = self._json(
            "POST", f"/agents/repos/{repository}/tasks/{task_id}/pulls"
        )
        return pull

    def steer(self, task_id: str, message: str) -> dict[str, Any]:
        body = {"content": message}
        answer = self.request("POST", self.task_path(task_id, "steer"), json=body)
        return dict(answer.json()) if answer.content else {}

    def list_models(self) -> list[dict[str, Any]]:
        models: list[dict[str, Any]] = self._json("GET", "/agents/models")["models"]
        return models

    def usage(self, days: int, repository: str | None) -> dict[str, Any]:
        where = f"/agents/repos/{repository}/usage" if repository else "/agents/usage"
        found: dict[str, Any] = self._json("GET", where, params={"days": days})
        return found

    def list_custom_agents(self, repository: str) -> list[dict[str, Any]]:
        answer = self._json("GET", f"/agents/repos/{repository}/custom-agents")
        agents: list[dict[str, Any]] = answer["custom_agents"]
        return agents

    def task_path(self, task_id: str, part: str = "") -> str:
        """*task_id*: or its beginning. INVALID for one that would lead elsewhere, and for the
        beginning of several."""
        if not re.fullmatch(r"[\w-]+", task_id):
            message = f"{task_id!r} is not a task's id; `journeyman task list` shows them."
            raise AppError(Code.INVALID, message)
        if task_id not in self._ids:
            self._ids[task_id] = self._whole_id(task_id.lower())
        return f"/agents/tasks/{self._ids[task_id]}" + (f"/{part}" if part else "")

    def _whole_id(self, typed: str) -> str:
        """*typed* itself where no task is found by it: what is asked for next says so."""
        if not SHORT_ID.fullmatch(typed):
            return typed
        found = self._json("GET", "/agents/task-ids", params={"prefix": typed})["task_ids"]
        if len(found) > 1:
            message = f"several tasks begin with {typed!r}; type more of it: {', '.join(found)}"
            raise AppError(Code.INVALID, message)
        return str(found[0]) if found else typed

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Raises AppError for anything but success."""
        try:
            answer = self.http.request(method, path, **options)
        except httpx.HTTPError as exc:
            raise unreachable(self.url, exc) from exc
        except UnicodeEncodeError as exc:
            raise AppError(Code.INVALID, "what is to be sent is not text in UTF-8") from exc
        if not answer.is_success:
            raise refused(answer)
        return answer

    def _json(self, method: str, path: str, **options: Any) -> Any:
        answer = self.request(method, path, **options)
        try:
            return answer.json()
        except ValueError as exc:
            message = (
                f"{self.url} does not answer like a Journeyman server; is JOURNEYMAN_URL right?"
            )
            raise AppError(Code.UNAVAILABLE, message) from exc


def unreachable(url: str, exc: httpx.HTTPError | httpx.InvalidURL) -> AppError:
    """What a failed connection means to a person."""
    if isinstance(exc, httpx.ConnectError):
        return AppError(
            Code.UNAVAILABLE,
            f"cannot reach {url}: is the server running? (journeyman serve); {exc}",
        )
    if isinstance(exc, httpx.TimeoutException):
        return AppError(Code.UNAVAILABLE, f"{url} did not answer within {TIMEOUT_SECONDS} seconds")
    return AppError(Code.UNAVAILABLE, f"the connection to {url} failed: {exc}")


def refused(answer: httpx.Response) -> AppError:
    """An error of the API, in GitHub's shape, as one line. The answer must have been read."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    message = str(body.get("message") or f"the server answered {answer.status_code}")
    errors = body.get("errors")
    details = [
        str(error["message"])
        for error in (errors if isinstance(errors, list) else [])
        if isinstance(error, dict) and error.get("message") not in (None, "", message)
    ]
    message = "; ".join([message, *details]).rstrip(".")
    return AppError(
        CODES.get(answer.status_code, Code.UNAVAILABLE), message + _way_out(answer, message)
    )


def _way_out(answer: httpx.Response, message: str) -> str:
    if answer.status_code == 401:
        return ": the token is unknown, expired or revoked (JOURNEYMAN_TOKEN)"
    if answer.status_code == 404:
        return _missing(answer.request.url)
    wanted = answer.headers.get("X-Accepted-GitHub-Permissions")
    if wanted and message == UNPERMITTED:
        return f": it needs the permission {wanted} (JOURNEYMAN_TOKEN)"
    return ""


def _missing(url: httpx.URL) -> str:
    """GitHub's answer to what is not there, and to what one may not see, is the same."""
    address = str(url.copy_with(query=None))
    if found := re.fullmatch(r"(.*?)(?:/agents)?/repos/([^/]+/[^/]+)/(?:agents/)?[\w-]+", address):
        return f": {found[1]} has no repository {found[2]}, or your token does not reach it"
    if found := re.fullmatch(r"(.*)/agents/tasks/([^/]+)(?:/\w+)?", address):
        return f": {found[1]} has no task {found[2]}, or your token does not reach it"
    return f" ({url.path})"


def _no_certificates() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
