"""Git's smart HTTP protocol as a pure ASGI application: who may, and which git serves it.

Knows nothing of the service's API. Git runs as `upload-pack` and `receive-pack`; `packs` moves the
bytes.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from weakref import WeakValueDictionary

import structlog

from journeyman.domain.errors import AppError, Code, DatabaseLost
from journeyman.domain.principals import Principal, TokenKind
from journeyman.domain.pushes import Update
from journeyman.domain.repositories import Permission, Repository
from journeyman.forge import ForgeError, ForgeRefused
from journeyman.forge.embedded import bodies, packs, passes, updates
from journeyman.forge.embedded.bodies import Speed
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.forge.embedded.forwarding import Forwarding, forwarding
from journeyman.forge.embedded.packs import Headers
from journeyman.git import GitError
from journeyman.telemetry.requests import note_route

log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SERVICES = frozenset({"git-upload-pack", "git-receive-pack"})
_PATH = re.compile(
    r"/(?P<owner>[\w.-]+)/(?P<name>[\w.-]+?)(?:\.git)?"
    r"/(?P<what>info/refs|git-upload-pack|git-receive-pack)",
    re.ASCII,
)
_PROTOCOL = re.compile(r"[a-z0-9=:.-]{1,100}")
_CHALLENGE = (b"www-authenticate", b'Basic realm="Journeyman"')
_STATUS = {Code.UNAUTHENTICATED: 401, Code.FORBIDDEN: 403, Code.NOT_FOUND: 404}
_NO_CACHE = (
    (b"expires", b"Fri, 01 Jan 1980 00:00:00 GMT"),
    (b"pragma", b"no-cache"),
    (b"cache-control", b"no-cache, max-age=0, must-revalidate"),
)


SLOWEST = Speed(stall_seconds=120, grace_seconds=60, bytes_per_second=10_000)


@dataclass(frozen=True)
class Options:
    max_packs: int = max(4, 2 * (os.cpu_count() or 1))
    """How many packs are made or taken in at once; more wait."""
    max_push_bytes: int = 2 << 30
    max_request_bytes: int = 64 << 20
    """Of what a fetch says that it wants and has."""
    speed: Speed = SLOWEST
    """A client that sends or takes less is dropped."""


@dataclass(frozen=True)
class Request:
    """What is asked: the advertisement of *service*'s refs, or the service itself."""

    client: str
    """An account, or the address of somebody unknown."""
    principal: Principal | None
    address: str
    repository: Repository
    service: str
    advertise: bool
    protocol: str
    gzipped: bool
    to_home: Forwarding | None
    """Where what is pushed goes first."""


class GitHttp:
    """`/{owner}/{name}.git/…`, with and without `.git`. Any user name, a token as the password."""

    def __init__(self, forge: EmbeddedForge, options: Options | None = None) -> None:
        self._forge = forge
        self._options = options or Options()
        self._slots = asyncio.Semaphore(self._options.max_packs)
        self._lists = asyncio.Semaphore(self._options.max_packs)
        self._clients: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def matches(self, path: str) -> bool:
        return _PATH.fullmatch(path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        try:
            request = await self._admit(scope)
        except AppError as error:
            await _refuse(send, error)
        except ForgeError as error:
            await respond(send, 403 if isinstance(error, ForgeRefused) else 503, str(error))
        else:
            await self._serve(request, receive, send)

    async def _admit(self, scope: Scope) -> Request:
        headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
        match = _PATH.fullmatch(scope["path"])
        if match is None:
            raise AppError(Code.NOT_FOUND, "Not Found")
        note_route(scope, f"/{{owner}}/{{repo}}.git/{match['what']}")
        service, advertise = _service(scope, match["what"], headers)
        principal = await self._identify(headers.get(b"authorization", ""))
        write = service == "git-receive-pack"
        repository = await self._authorise(principal, match["owner"], match["name"], write)
        if advertise and _is_worker(principal):
            # What it is told must be what the home has: it pushes against that.
            await self._forge.refresh(repository)
        protocol = headers.get(b"git-protocol", "")
        return Request(
            client=_client(scope, principal),
            principal=principal,
            address=_address(scope),
            repository=repository,
            service=service,
            advertise=advertise,
            protocol=protocol if _PROTOCOL.fullmatch(protocol) else "",
            gzipped=headers.get(b"content-encoding", "") in ("gzip", "x-gzip"),
            to_home=await self._to_home(repository) if write else None,
        )

    async def _identify(self, authorization: str) -> Principal | None:
        token = _token_in(authorization)
        if token is not None and token.startswith(passes.PREFIX):
            return await self._forge.identify_pass(token)
        return None if token is None else await self._forge.identify(token)

    async def _authorise(
        self, principal: Principal | None, owner: str, name: str, write: bool
    ) -> Repository:
        if principal is None:
            public = await self._forge.find_public(owner, name)
            if public is None or write:
                raise AppError(Code.UNAUTHENTICATED, "Requires authentication")
            return public
        access = await self._forge.find_access(principal, owner, name)
        if access is None:
            raise AppError(Code.NOT_FOUND, "Repository not found.")
        full_name = access.repository.full_name
        if not principal.allows("contents=write" if write else "contents=read") and (
            write or access.repository.private
        ):
            verb = "Write" if write else "Read"
            raise AppError(Code.FORBIDDEN, f"{verb} access to {full_name} not granted.")
        if write and access.permission < Permission.WRITE:
            login = principal.account.login
            raise AppError(Code.FORBIDDEN, f"Permission to {full_name} denied to {login}.")
        if write and access.repository.archived:
            raise AppError(Code.FORBIDDEN, f"{full_name} is archived, so it is read-only.")
        home = await self._forge.upstreams.address(access.repository.id)
        if write and home is not None and not _is_worker(principal):
            raise AppError(Code.FORBIDDEN, f"{full_name} has its home at {home}: push there.")
        return access.repository

    async def _serve(self, request: Request, receive: Receive, send: Send) -> None:
        kind = "advertisement" if request.advertise else "result"
        content_type = f"application/x-{request.service}-{kind}".encode()
        headers = [(b"content-type", content_type), *_NO_CACHE]
        answer = self._advertise if request.advertise else self._exchange
        if not await answer(request, headers, receive, send):
            await respond(send, 500, "The repository cannot be read; see the server's log.")

    async def _advertise(
        self, request: Request, headers: Headers, _receive: Receive, send: Send
    ) -> bool:
        """Git is done before the client is told anything, however slowly that one reads."""
        async with self._lists:
            listed = await packs.advertise(self._pack(request))
        if listed is None:
            return False
        await send({"type": "http.response.start", "status": 200, "headers": list(headers)})
        await send({"type": "http.response.body", "body": listed})
        return True

    async def _exchange(
        self, request: Request, headers: Headers, receive: Receive, send: Send
    ) -> bool:
        """A client's own requests wait for each other first, so that nobody has all slots."""
        pack, push = self._pack(request), request.service == "git-receive-pack"
        most = self._options.max_push_bytes if push else self._options.max_request_bytes
        async with self._of(request.client):
            try:
                body = await bodies.take_in(
                    receive,
                    gzipped=request.gzipped,
                    most=most,
                    speed=self._options.speed,
                    directory=pack.directory,
                )
            except bodies.Gone:
                await respond(send, 408, "The request did not come, or came too slowly.")
                return True
            with body:
                wanted = updates.asked(body) if push else []
                if wanted:
                    await self._forge.note_merges(request.repository)
                async with self._slots:
                    served = await packs.serve(pack, body, headers, receive, send)
                await self._note(request, wanted)
                return served

    async def _note(self, request: Request, wanted: Sequence[Update]) -> None:
        """A user's push is written down; a worker's is told by the session's own log. Either may
        have merged something."""
        by, repository = request.principal, request.repository
        if not wanted or by is None:
            return
        try:
            pushed = await updates.done(wanted, self._forge.path(repository.id))
            if pushed and not _is_worker(by):
                await self._forge.note_push(by, repository, request.address, pushed)
            if pushed:
                await self._forge.note_merges(repository)
        except (GitError, DatabaseLost) as error:
            # It has happened, and the user was told so.
            log.warning("push.unrecorded", repository=repository.full_name, error=str(error))

    async def _to_home(self, repository: Repository) -> Forwarding | None:
        home = await self._forge.upstreams.remote(repository.id, writable=True)
        if home is None:
            return None
        return await asyncio.to_thread(forwarding, self._forge.path(repository.id), home)

    def _of(self, client: str) -> asyncio.Semaphore:
        """As many places as one client may have: fewer than there are."""
        if (places := self._clients.get(client)) is None:
            places = asyncio.Semaphore(max(1, self._options.max_packs * 3 // 4))
            self._clients[client] = places
        return places

    def _pack(self, request: Request) -> packs.Pack:
        return packs.Pack(
            directory=self._forge.path(request.repository.id),
            verb=request.service.removeprefix("git-"),
            advertise=request.advertise,
            protocol=request.protocol,
            max_bytes=self._options.max_push_bytes,
            speed=self._options.speed,
            to_home=request.to_home,
        )


def _is_worker(principal: Principal | None) -> bool:
    """By its pass: no token of that kind is taken here."""
    return principal is not None and principal.kind is TokenKind.INSTALLATION


def _client(scope: Scope, principal: Principal | None) -> str:
    if principal is not None:
        return f"account {principal.account.id}"
    return f"address {_address(scope)}"


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("local",))[0])


def _service(scope: Scope, what: str, headers: dict[bytes, str]) -> tuple[str, bool]:
    """The git service that is asked for, and whether only its refs are."""
    if what != "info/refs":
        if scope["method"] != "POST":
            raise AppError(Code.BAD_REQUEST, f"{what} wants POST.")
        if headers.get(b"content-type") != f"application/x-{what}-request":
            raise AppError(Code.BAD_REQUEST, f"{what} wants application/x-{what}-request.")
        return what, False
    service = parse_qs(scope["query_string"].decode("latin-1")).get("service", [""])[0]
    if service not in SERVICES:
        raise AppError(Code.BAD_REQUEST, "Please upgrade your git client: smart HTTP only.")
    return service, True


def _token_in(authorization: str) -> str | None:
    """The token of a Basic, Bearer or token header; None without any."""
    scheme, _, value = authorization.partition(" ")
    match scheme.lower():
        case "":
            return None
        case "bearer" | "token":
            return value.strip()
        case "basic":
            try:
                user, _, password = base64.b64decode(value).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError):
                return ""
            return user if password in ("", "x-oauth-basic") else password
        case _:
            return ""


async def _refuse(send: Send, error: AppError) -> None:
    status = _STATUS.get(error.code, 400)
    await respond(send, status, error.message, (_CHALLENGE,) if status == 401 else ())


async def respond(
    send: Send, status: int, message: str, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    """A plain text answer, which git shows to its user."""
    body = f"{message}\n".encode()
    length = (b"content-length", str(len(body)).encode())
    plain = (b"content-type", b"text/plain; charset=utf-8")
    await send(
        {"type": "http.response.start", "status": status, "headers": [plain, length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})
