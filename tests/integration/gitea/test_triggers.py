"""A mention on a local Forgejo becomes a pull request, and a review of it a follow-up."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from journeyman import app
from journeyman.api import routes
from journeyman.domain.sessions import State
from journeyman.domain.triggers import Rules
from journeyman.service.clock import utc_now
from journeyman.service.means import Means
from journeyman.service.triggers import Triggers
from journeyman.store import sessions
from journeyman.store.tables import session as session_table
from journeyman.worker.starter import Starter
from tests.conftest import Clock, configured
from tests.integration.forge.client import git, repository
from tests.peers.gitea import objects
from tests.peers.gitea.description import Description
from tests.peers.gitea.server import Gitea, serving
from tests.peers.github.state import Comment, Issue, Pull, Repository, User

pytestmark = [pytest.mark.npm, pytest.mark.sandbox, pytest.mark.engine]

URL = "http://journeyman.test"
SECRET = b"hush"
RULES = Rules("helper")
SESSIONS = session_table.select().with_only_columns(*sessions.COLUMNS)


@dataclass
class Site:
    """Forgejo, whose webhooks the test sends for Bob, and a service with a worker."""

    gitea: Gitea
    repository: Repository
    bob: User
    helper: User
    parts: app.Parts
    clock: Clock

    def __post_init__(self) -> None:
        parts = self.parts
        triggers = Triggers(parts.database, RULES, clock=self.clock)
        services = replace(parts.services, triggers=triggers)
        token = self.gitea.add_token(self.helper.login)
        means = Means.of(services, parts.database, parts.forge, token, RULES, URL)
        self.starter = Starter(replace(means, clock=self.clock))
        options = routes.Options(forge_secret=SECRET.decode(), forge_url=URL)
        transport = httpx.ASGITransport(routes.build_app(services, options))
        self.client = httpx.AsyncClient(transport=transport, base_url=URL)

    async def tell(self, event: str, given: dict[str, Any]) -> None:
        """As Forgejo does; what is due then is begun."""
        around = {"repository": objects.repository(self.repository, self.bob)}
        body = json.dumps(around | {"sender": objects.user(self.bob)} | given).encode()
        digest = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/json", "x-forgejo-event": event}
        headers["x-forgejo-signature"] = digest
        told = await self.client.post("/hooks/forge", content=body, headers=headers)
        assert (told.status_code, told.json()) == (202, {"kept": 1}), told.text
        self.clock.advance(60)
        await self.starter.handle()

    async def ended(self, count: int) -> None:
        """So many sessions; what is to be said then is."""
        async with asyncio.timeout(60):
            while True:
                found = await self.parts.database.read(
                    lambda tx: [sessions.to_session(row) for row in tx.execute(SESSIONS)]
                )
                if len(found) == count and all(one.ended for one in found):
                    break
                await asyncio.sleep(0.1)
        assert {one.state for one in found} == {State.COMPLETED}, found
        self.clock.advance(60)
        await self.starter.answer()

    async def mention(self, on: Issue, body: str) -> Comment:
        said = Comment(self.gitea.state.new_id(), on.number, self.bob, body)
        self.repository.comments.append(said)
        given = {"issue": objects.issue(on), "comment": objects.comment(said)}
        await self.tell("issue_comment", {"action": "created", **given})
        return said

    async def reject(self, pull: Pull, line: str) -> None:
        """With one comment on a line."""
        said = Comment(self.gitea.state.new_id(), pull.number, self.bob, line, path="a", line=1)
        self.repository.review_comments.append(said)
        told = objects.pull(pull, self.repository, self.bob)
        told["updated_at"] = objects.review_comment(said)["created_at"]
        review = {"type": "pull_request_review_rejected", "content": "Not yet."}
        given = {"action": "reviewed", "pull_request": told, "review": review}
        await self.tell("pull_request_rejected", given)


@pytest.fixture
async def site(
    forgejo_description: Description, data: Path, tmp_path: Path, clock: Clock
) -> AsyncIterator[Site]:
    clock.now = utc_now() + timedelta(hours=1)
    async with serving(forgejo_description, tmp_path / "gitea") as gitea:
        _, bob, helper = (gitea.state.add_user(login) for login in ("octo", "bob", "helper"))
        known = gitea.state.add_repository("octo/app", repository(tmp_path / "source"))
        known.roles |= {bob.id: "write", helper.id: "admin"}
        config = configured(data, **{"forge.url": gitea.url, "forge.kind": "gitea"})
        async with app.parts(config, URL) as parts, app.working(parts, URL):
            made = Site(gitea, known, bob, helper, parts, clock)
            async with made.client:
                yield made
        assert not gitea.problems, gitea.problems


async def test_from_a_mention_to_a_reviewed_pull_request(site: Site) -> None:
    known = site.repository
    issue = Issue(1, known.owner, "Say it louder", "It is too quiet.")
    known.issues.append(issue)
    said = await site.mention(issue, "@helper please\n\n```sh\necho HELLO > loud.txt\n```")
    await site.ended(1)
    (pull,) = known.pulls
    assert git(known.bare, "show", f"{pull.head}:loud.txt") == "HELLO"
    await site.reject(pull, "Louder:\n\n```sh\necho HELLO! > loud.txt\n```")
    await site.ended(2)
    assert git(known.bare, "show", f"{pull.head}:loud.txt") == "HELLO!"
    assert known.pulls == [pull]
    assert ("comment", said.id, "eyes") in known.reactions
    answers = [one for one in known.comments if one.user is site.helper]
    assert [one.number for one in answers] == [1, pull.number]
    assert f"@bob This is done: #{pull.number}." in answers[0].body
