"""Who may do what: each kind of token, in each situation, with each operation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from journeyman.domain.oauth import AppKind
from journeyman.domain.repositories import Permission
from journeyman.service.apps import NewApp
from tests.unit.api.conftest import World, make_repository

OPERATIONS = (
    "GET /repos/{repository}",
    "GET /agents/repos/{repository}/tasks",
    "GET /agents/repos/{repository}/tasks/{task}",
    "GET /agents/tasks/{task}",
    "POST /agents/repos/{repository}/tasks",
    "POST /agents/tasks/{task}/archive",
)
SITUATIONS: Mapping[str, tuple[str, str]] = {
    "private, writes": ("alice", "octo/hello"),
    "private, reads": ("bob", "octo/hello"),
    "private, nothing": ("mallory", "octo/hello"),
    "public, writes": ("alice", "octo/open"),
    "public, reads": ("mallory", "octo/open"),
}

WRITER, READER, NOBODY = (
    "200 200 200 200 201 200",
    "200 200 200 200 403 403",
    "404 404 404 404 404 404",
)
ALL_401, ALL_403 = " ".join(["401"] * 6), " ".join(["403"] * 6)
ONLY_METADATA = "200 403 403 403 403 403"
ONLY_READ = "200 200 200 200 403 403"
HIDDEN = "404 403 403 403 403 403"

WHOLE = {
    "private, writes": WRITER,
    "private, reads": READER,
    "private, nothing": NOBODY,
    "public, writes": WRITER,
    "public, reads": READER,
}
PUBLIC_ONLY = {
    "private, writes": NOBODY,
    "private, reads": NOBODY,
    "private, nothing": NOBODY,
    "public, writes": WRITER,
    "public, reads": READER,
}
READS_PUBLIC = {**PUBLIC_ONLY, "public, writes": READER}
READ_PERMISSION = {
    "private, writes": ONLY_READ,
    "private, reads": ONLY_READ,
    "private, nothing": "404 404 404 404 403 403",
    "public, writes": ONLY_READ,
    "public, reads": ONLY_READ,
}
NO_PERMISSION = {
    "private, writes": ONLY_METADATA,
    "private, reads": ONLY_METADATA,
    "private, nothing": HIDDEN,
    "public, writes": ONLY_METADATA,
    "public, reads": ONLY_METADATA,
}
MATRIX: Mapping[str, Mapping[str, str]] = {
    "none": dict.fromkeys(SITUATIONS, ALL_401),
    "unknown": dict.fromkeys(SITUATIONS, ALL_401),
    "expired": dict.fromkeys(SITUATIONS, ALL_401),
    "revoked": dict.fromkeys(SITUATIONS, ALL_401),
    "installation": dict.fromkeys(SITUATIONS, ALL_403),
    "classic repo": WHOLE,
    "classic public_repo": PUBLIC_ONLY,
    "classic without scope": READS_PUBLIC,
    "OAuth app repo": WHOLE,
    "OAuth app public_repo": PUBLIC_ONLY,
    "OAuth app without scope": READS_PUBLIC,
    "fine-grained agent_tasks=write": WHOLE,
    "fine-grained agent_tasks=write, selected": WHOLE,
    "fine-grained agent_tasks=write, another selected": READS_PUBLIC,
    "fine-grained agent_tasks=read": READ_PERMISSION,
    "fine-grained metadata=read": NO_PERMISSION,
    "fine-grained contents=write": NO_PERMISSION,
    "GitHub App user agent_tasks=write": WHOLE,
    "GitHub App user agent_tasks=read": READ_PERMISSION,
    "GitHub App user metadata=read": NO_PERMISSION,
}


@pytest.fixture
async def tasks(world: World, tmp_path: Path) -> dict[str, str]:
    """One ended task of an administrator in each repository, by its full name."""
    source = make_repository(tmp_path / "open")
    await world.administration.add_repository("octo/open", str(source), private=False)
    await world.administration.grant("octo/open", "alice", Permission.WRITE)
    made = {}
    for repository in ("octo/hello", "octo/open"):
        root = world.client("root")
        created = await root.post(f"/agents/repos/{repository}/tasks", json={"prompt": "Fix it"})
        made[repository] = created.json()["id"]
        assert (await root.post(f"/agents/tasks/{made[repository]}/cancel")).status_code == 200
    return made


async def token_for(world: World, kind: str, user: str) -> str | None:
    """A token of *user*, as the row of the matrix says."""
    family, _, rest = kind.partition(" ")
    match family:
        case "none":
            return None
        case "unknown":
            return "ghp_" + "0" * 36
        case "expired" | "revoked":
            return await ended(world, family, user)
        case "classic":
            scopes = () if rest == "without scope" else (rest,)
            return (await world.administration.create_token(user, scopes=scopes))[0]
        case "fine-grained":
            return await fine_grained(world, rest, user)
        case "installation":
            app, _ = await world.services.apps.create(
                NewApp(
                    "Bot", AppKind.GITHUB, device_flow=True, permissions={"agent_tasks": "write"}
                )
            )
            return await world.services.apps.create_installation_token(app.client_id, "octo")
        case "OAuth":
            scope = rest.removeprefix("app ").replace("without scope", "")
            return await by_device(world, user, NewApp("App", device_flow=True), scope)
        case _:
            name, _, level = rest.removeprefix("App user ").partition("=")
            app_of = NewApp("App", AppKind.GITHUB, device_flow=True, permissions={name: level})
            return await by_device(world, user, app_of, "")


async def ended(world: World, how: str, user: str) -> str:
    if how == "expired":
        soon = datetime.now(UTC) + timedelta(milliseconds=5)
        secret, _ = await world.administration.create_token(user, expires_at=soon)
        while datetime.now(UTC) <= soon:
            pass
        return secret
    secret, token = await world.administration.create_token(user)
    await world.administration.revoke_token(token.id)
    return secret


async def fine_grained(world: World, rest: str, user: str) -> str:
    permission, _, selection = rest.partition(", ")
    name, _, level = permission.partition("=")
    selected = {
        "": None,
        "selected": ["octo/hello", "octo/open"],
        "another selected": ["octo/other"],
    }[selection]
    secret, _ = await world.administration.create_fine_grained_token(
        user, permissions={"metadata": "read", name: level}, repositories=selected
    )
    return secret


async def by_device(world: World, user: str, new: NewApp, scope: str) -> str:
    services = world.services
    app, _ = await services.apps.create(new)
    started = await services.oauth.start_device(app.client_id, scope)
    account = (await services.identity.authenticate(world.tokens[user])).account
    _, device = await services.consents.find_device(account, started.user_code)
    await services.consents.decide_device(account, device, approved=True)
    return (await services.oauth.poll_device(app.client_id, started.device_code)).access_token


@pytest.mark.parametrize("kind", MATRIX)
async def test_every_operation_answers_as_the_matrix_says(
    world: World, tasks: dict[str, str], kind: str
) -> None:
    found = {}
    for situation, (user, repository) in SITUATIONS.items():
        client, token = world.client(None), await token_for(world, kind, user)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answers = [
            await ask(client, operation, repository, tasks[repository], headers)
            for operation in OPERATIONS
        ]
        found[situation] = " ".join(answers)
    assert found == MATRIX[kind]


async def ask(
    client: httpx.AsyncClient, operation: str, repository: str, task: str, headers: dict[str, str]
) -> str:
    method, path = operation.format(repository=repository, task=task).split()
    body = {"json": {"prompt": "Do it"}} if path.endswith("/tasks") and method == "POST" else {}
    answer = await client.request(method, path, headers=headers, **body)  # type: ignore[arg-type]
    return str(answer.status_code)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("fine-grained agent_tasks=read", "Resource not accessible by personal access token"),
        ("GitHub App user agent_tasks=read", "Resource not accessible by integration"),
        ("installation", "Resource not accessible by integration"),
    ],
)
async def test_a_missing_permission_is_named(world: World, kind: str, words: str) -> None:
    token = await token_for(world, kind, "alice")
    headers = {"Authorization": f"token {token}"}
    refused = await world.client(None).post(
        "/agents/repos/octo/hello/tasks", json={"prompt": "x"}, headers=headers
    )
    assert refused.status_code == 403
    assert refused.json()["message"] == words
    assert refused.headers["x-accepted-github-permissions"] == "agent_tasks=write"


async def test_ones_own_list_shows_what_the_token_reaches(
    world: World, tasks: dict[str, str]
) -> None:
    alice = world.client("alice")
    for repository in tasks:
        await alice.post(f"/agents/repos/{repository}/tasks", json={"prompt": "Mine"})
    for kind, expected in {
        "classic repo": 2,
        "classic public_repo": 1,
        "fine-grained agent_tasks=read": 2,
        "fine-grained agent_tasks=read, selected": 2,
        "fine-grained agent_tasks=read, another selected": 1,
        "OAuth app without scope": 1,
    }.items():
        token = await token_for(world, kind, "alice")
        page = await alice.get("/agents/tasks", headers={"Authorization": f"token {token}"})
        assert len(page.json()["tasks"]) == expected, kind
        assert page.json()["total_active_count"] == expected, kind


async def test_every_token_knows_its_user(world: World) -> None:
    for kind in ("classic without scope", "fine-grained contents=write", "GitHub App user a=read"):
        token = await token_for(world, kind, "bob")
        answer = await world.client(None).get("/user", headers={"Authorization": f"token {token}"})
        assert answer.json()["login"] == "bob"
