"""Requests to a forge's API for one token each: its limits kept, its errors as the contract's.

GitHub's rules, which do for the others too:
https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import httpx
import msgspec
import structlog

from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.forge import Answer, CredentialRefused, ForgeError, ForgeRefused

log = structlog.get_logger()
T = TypeVar("T")

TIMEOUT = httpx.Timeout(30, connect=10)
PATIENCE_SECONDS = 30.0
"""The longest wait for a limit inside one call; after that the caller is told."""
AGAIN_SECONDS = (0.3, 1.0)
"""Waits before a read that failed for a moment is tried again."""
UNSAID_SECONDS = 60.0
"""How long to wait where a limit does not say; GitHub's word."""
MOST_REDIRECTS = 3
MOST_PAGES = 10
PAGE = 100
UNCHANGED = 304
LARGEST = 16 << 20
"""Bytes of an answer."""
MOST_KNOWN, LARGEST_KNOWN = 500, 128 << 10
"""Answers that are asked for again, and bytes of one."""


class Missing(Exception):
    """404: it is not there, or the token may not see it; 410: it is gone."""


class Refused(ForgeError):
    """The forge has understood and will not, or has trouble: the status says which."""

    def __init__(self, status: int, message: str, *, permanent: bool = True) -> None:
        ForgeError.__init__(self, message, permanent=permanent)
        self.status = status


class Denied(Refused, ForgeRefused):
    """It will not."""

    def __init__(self, status: int, message: str) -> None:
        Refused.__init__(self, status, message)
        self.forbidden = status == 403


class Limited(ForgeError):
    """Too many requests; *seconds* to wait."""

    def __init__(self, seconds: float, message: str) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True)
class Dialect:
    name: str
    """What the forge is called in errors."""
    scheme: str = "Bearer"
    """Before the token in `Authorization`."""
    page_size: str = "per_page"
    """The parameter of a list that says how many entries a page has."""
    headers: Mapping[str, str] = field(default_factory=dict)


class Api:
    """*url*: without a slash at the end. *clock* gives Unix seconds."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        dialect: Dialect,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.url = url
        self._client = client
        self._dialect = dialect
        self._name = dialect.name
        self._clock = clock
        self._writing: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()
        self._limited: dict[bytes, float] = {}
        self._known: dict[bytes, Answer] = {}

    async def get(self, secret: str, path: str, kind: type[T], **query: str | int) -> T:
        """Raises Missing, or a ForgeError."""
        return self.decoded((await self.read(secret, path, query)).body, kind)

    async def again(self, secret: str, path: str, kind: type[T], **query: str | int) -> T:
        """As `get`, for what is asked for again and again: what has not changed since costs
        nothing of a limit, where the forge tells an ETag."""
        key = hashlib.sha256(f"{secret} {path} {sorted(query.items())}".encode()).digest()
        known = self._known.pop(key, None)
        etag = known.headers.get("etag", "") if known else ""
        answer = await self.read(secret, path, query, etag=etag)
        if answer.status == UNCHANGED and known is not None:
            answer = known
        if answer.headers.get("etag") and len(answer.body) <= LARGEST_KNOWN:
            self._known[key] = answer
            if len(self._known) > MOST_KNOWN:
                del self._known[next(iter(self._known))]
        return self.decoded(answer.body, kind)

    async def pages(
        self, secret: str, path: str, kind: type[T], *, counted: bool = True, **query: str
    ) -> list[T]:
        """All entries of a list, up to MOST_PAGES; see `part`."""
        return (await self.part(secret, path, kind, query, counted=counted))[0]

    async def part(
        self,
        secret: str,
        path: str,
        kind: type[T],
        query: Mapping[str, str],
        *,
        first: int = 1,
        counted: bool = True,
    ) -> tuple[list[T], int | None]:
        """The entries of up to MOST_PAGES from the page *first* on, and the page to go on with,
        None at the end. *counted*: the total it tells is that of the list. Gitea writes null for
        some lists without entries, as Go does."""
        entries: Any = list[kind] | None  # type: ignore[valid-type]
        found: list[T] = []
        for page in range(first, first + MOST_PAGES):
            answer = await self.read(
                secret, path, {**query, self._dialect.page_size: PAGE, "page": page}
            )
            some: list[T] = self.decoded(answer.body, entries) or []
            found += some
            if not some or (counted and _is_all(answer, len(found), len(some))):
                return found, None
        return found, first + MOST_PAGES

    async def read(
        self,
        secret: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        accept: str = "",
        etag: str = "",
    ) -> Answer:
        """Tried again where it failed for a moment. Status 304 only with an *etag*."""
        for seconds in (*AGAIN_SECONDS, None):
            try:
                return await self._patient(
                    "GET", secret, path, query=query, accept=accept, etag=etag
                )
            except Limited:
                raise
            except ForgeError as error:
                if error.permanent or seconds is None:
                    raise
                await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 - no secret
        raise AssertionError("unreachable: the last wait is None")

    async def write(
        self, method: str, secret: str, path: str, body: Mapping[str, Any], kind: type[T]
    ) -> T:
        """One after the other for each token. Not repeated: it may have been done."""
        async with self._alone(secret):
            answer = await self._patient(method, secret, path, body=body)
        return self.decoded(answer.body, kind)

    async def ask(self, secret: str, path: str, query: str, accept: str) -> Answer:
        """As it is answered, whatever the status."""
        url = f"{self.url}{path}" + (f"?{query}" if query else "")
        return await self._send("GET", secret, url, accept=accept)

    async def _patient(
        self,
        method: str,
        secret: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        accept: str = "",
        etag: str = "",
    ) -> Answer:
        """Waits for a limit that ends soon; it has not been counted as done then."""
        url = path if "://" in path else self.url + path
        if query:
            url = str(httpx.URL(url, params=query))
        until = self._clock() + PATIENCE_SECONDS
        while True:
            try:
                await self._wait(secret, until)
                return self._checked(
                    secret, await self._redirected(method, secret, url, body, accept, etag)
                )
            except Limited as limit:
                if self._clock() + limit.seconds > until:
                    raise
                log.info("forge.limited", seconds=round(limit.seconds, 1))
                await asyncio.sleep(limit.seconds)

    async def _wait(self, secret: str, until: float) -> None:
        """While the token is known to be limited, nothing is asked with it."""
        ends = self._limited.get(_key(secret), 0.0)
        if ends > until:
            seconds = ends - self._clock()
            raise Limited(seconds, self._limit_told(seconds))
        if (seconds := ends - self._clock()) > 0:
            await asyncio.sleep(seconds)

    async def _redirected(
        self,
        method: str,
        secret: str,
        url: str,
        body: Mapping[str, Any] | None,
        accept: str,
        etag: str,
    ) -> Answer:
        """A repository that was renamed or transferred answers with where it is now."""
        for _ in range(MOST_REDIRECTS + 1):
            answer = await self._send(method, secret, url, body=body, accept=accept, etag=etag)
            if answer.status not in (301, 302, 307, 308):
                return answer
            following = str(httpx.URL(url).join(answer.headers.get("location", "")))
            if urlsplit(following)[:2] != urlsplit(url)[:2]:
                raise ForgeError(f"{self._name} sends on to another place.", permanent=True)
            url = following
        raise ForgeError(f"{self._name} sends on for ever.", permanent=True)

    async def _send(
        self,
        method: str,
        secret: str,
        url: str,
        *,
        body: Mapping[str, Any] | None = None,
        accept: str = "",
        etag: str = "",
    ) -> Answer:
        headers = {
            **self._dialect.headers,
            "Authorization": f"{self._dialect.scheme} {secret}",
            **({"Accept": accept} if accept else {}),
            **({"If-None-Match": etag} if etag else {}),
        }
        try:
            request = self._client.build_request(
                method, url, headers=headers, json=None if body is None else dict(body)
            )
            response = await self._client.send(request, stream=True)
            try:
                return Answer(response.status_code, response.headers, await _bounded(response))
            finally:
                await response.aclose()
        except httpx.ReadTimeout:
            raise ForgeError(f"{self._name} has not answered in time.") from None
        except httpx.HTTPError as error:
            told = str(error).strip() or type(error).__name__
            raise ForgeError(f"{self._name} cannot be reached: {told[:200]}") from None
        except _TooLarge:
            raise ForgeError(f"{self._name} answers with more than {LARGEST} bytes.") from None

    def _checked(self, secret: str, answer: Answer) -> Answer:
        status = answer.status
        if status < 300 or status == UNCHANGED:
            return answer
        told = _told(answer)
        if status == 401:
            raise CredentialRefused(
                f"{self._name} does not take the token any more: it has expired or was revoked."
            )
        if status in (403, 429) and _is_limit(answer, told):
            raise self._limit(secret, answer, told)
        if status in (404, 410):
            raise Missing(told)
        if status >= 500 or status in (408, 409):
            message = f"{self._name} has trouble ({status}): {told}"
            raise Refused(status, message, permanent=False)
        raise Denied(status, f"{self._name} refused ({status}): {told}")

    def _limit(self, secret: str, answer: Answer, told: str) -> Limited:
        """By `retry-after`, then by the reset's time, then GitHub's own advice."""
        headers, now = answer.headers, self._clock()
        seconds = _number(headers.get("retry-after"))
        if seconds is None and headers.get("x-ratelimit-remaining") == "0":
            reset = _number(headers.get("x-ratelimit-reset"))
            seconds = None if reset is None else max(1.0, reset - now + 1)
        seconds = UNSAID_SECONDS if seconds is None else seconds
        if len(self._limited) > 1000:
            self._limited = {key: ends for key, ends in self._limited.items() if ends > now}
        self._limited[_key(secret)] = now + seconds
        return Limited(seconds, self._limit_told(seconds))

    def _limit_told(self, seconds: float) -> str:
        return (
            f"{self._name} asks to wait {max(1, round(seconds))} s: the requests of this token "
            "have reached their limit."
        )

    @asynccontextmanager
    async def _alone(self, secret: str) -> AsyncIterator[None]:
        lock = self._writing.get(_key(secret))
        if lock is None:
            lock = self._writing[_key(secret)] = asyncio.Lock()
        async with lock:
            yield

    def decoded(self, content: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(content, type=kind)
        except (msgspec.ValidationError, msgspec.DecodeError) as error:
            message = f"{self._name} answers what its API would not: {error}. Is forge.url right?"
            raise ForgeError(message, permanent=True) from None


class _TooLarge(Exception):
    pass


async def _bounded(response: httpx.Response) -> bytes:
    found = bytearray()
    async for chunk in response.aiter_bytes():
        found += chunk
        if len(found) > LARGEST:
            raise _TooLarge
    return bytes(found)


def _is_all(answer: Answer, so_far: int, on_page: int) -> bool:
    """By the total where the forge tells it: one may give fewer on a page than asked for."""
    total = _number(answer.headers.get("x-total-count"))
    return on_page < PAGE if total is None else so_far >= total


def client(ca_file: str = "") -> httpx.AsyncClient:
    """With the certificates of the system and, where one is named, those of a file."""
    trusted = ssl.create_default_context()
    if ca_file:
        trusted.load_verify_locations(ca_file)
    return httpx.AsyncClient(
        verify=trusted,
        timeout=TIMEOUT,
        headers={"User-Agent": "journeyman"},
        limits=httpx.Limits(max_connections=50, max_keepalive_connections=20),
    )


def path_of(repository: Repository) -> str:
    return f"/repos/{repository.full_name}"


def secret_of(actor: Actor) -> str:
    """Raises CredentialRefused when there is none any more."""
    if actor.secret is None:
        raise CredentialRefused(f"There is no token of {actor.account.login} to work with.")
    return actor.secret


def _key(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _is_limit(answer: Answer, told: str) -> bool:
    return (
        answer.status == 429
        or "retry-after" in answer.headers
        or answer.headers.get("x-ratelimit-remaining") == "0"
        or "secondary rate limit" in told
    )


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else max(0.0, float(text))
    except ValueError:
        return None


def _told(answer: Answer) -> str:
    """The forge's message with those of its errors, on one line."""
    try:
        found = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if not isinstance(found, dict):
        return httpx.codes.get_reason_phrase(answer.status)
    parts = [str(found.get("message", ""))]
    errors = found.get("errors")
    for one in errors if isinstance(errors, list) else ():
        parts.append(_error(one) if isinstance(one, dict) else str(one))
    return " ".join("; ".join(filter(None, parts)).split())[:1000]


def _error(one: dict[str, Any]) -> str:
    if one.get("message"):
        return str(one["message"])
    return f"{one.get('field', '')} is {one.get('code', 'wrong')}"
