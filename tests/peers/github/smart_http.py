"""Git over HTTP by git's own `http-backend`, for who may read or write a repository."""

from __future__ import annotations

import asyncio
import os

from starlette.requests import Request
from starlette.responses import Response

from tests.peers.github.state import Repository, User

HOOK = (
    "#!/bin/sh\n"
    'while read -r old new ref; do case " $PROTECTED " in *" ${ref#refs/heads/} "*)\n'
    'printf "$REFUSAL" "$ref" >&2; exit 1;; esac; done\n'
)
GITHUB = (
    "error: GH006: Protected branch update failed for %s.\n"
    "error: Changes must be made through a pull request.\n"
)


async def serve(
    request: Request, repository: Repository, user: User, service: str, refusal: str = GITHUB
) -> Response:
    """*service*: what follows the repository's `.git` in the address. *refusal*: what is said of a
    protected branch."""
    hook = repository.bare / "hooks" / "pre-receive"
    if not hook.exists():  # what runs for somebody else cannot be written
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK)
        hook.chmod(0o755)
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_PROJECT_ROOT": str(repository.bare),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "PATH_INFO": service,
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.url.query,
        "CONTENT_TYPE": request.headers.get("content-type", ""),
        "HTTP_CONTENT_ENCODING": request.headers.get("content-encoding", ""),
        "GIT_PROTOCOL": request.headers.get("git-protocol", ""),
        "REMOTE_USER": user.login,
        "PROTECTED": " ".join(repository.protected),
        "REFUSAL": refusal,
    }
    process = await asyncio.create_subprocess_exec(
        *("git", "http-backend"),
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(await request.body())
    head, _, body = output.partition(b"\r\n\r\n")
    headers = dict(line.decode().split(": ", 1) for line in head.split(b"\r\n") if line)
    status = int(headers.pop("Status", "200").split()[0])
    return Response(body, status, headers)
