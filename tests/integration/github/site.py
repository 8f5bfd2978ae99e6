"""A service that is told of what happens on the local GitHub: its route, its worker's part that
begins and answers, on a time of the test's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import httpx

from journeyman.api import routes
from journeyman.domain.artifacts import PullArtifact
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.sessions import Reason, Session, State
from journeyman.domain.tasks import Task
from journeyman.domain.triggers import Rules, Stage, Trigger
from journeyman.forge import Forge
from journeyman.service.ledger import Ledger
from journeyman.service.means import Means
from journeyman.service.triggers import Triggers
from journeyman.store import events, tasks
from journeyman.store.tables import task as task_table
from journeyman.store.tables import trigger as trigger_table
from journeyman.store.triggers import to_trigger
from journeyman.worker.starter import Starter
from tests.conftest import Clock
from tests.peers.github.hooks import Hooks
from tests.peers.github.objects import Objects
from tests.peers.github.server import API
from tests.peers.github.state import Comment, Issue, Pull, User

if TYPE_CHECKING:
    from tests.integration.github.conftest import Service

URL = "http://journeyman.test"
SECRET = "It's a Secret to Everybody"
BASE = "a" * 40


@dataclass
class Site:
    service: Service
    clock: Clock
    machine: User
    token: str
    """The machine's user's."""
    rules: Rules

    def __post_init__(self) -> None:
        parts = self.service.parts
        self.triggers = Triggers(parts.database, self.rules, clock=self.clock)
        self.starter = self.worker(parts.forge)
        services = replace(parts.services, triggers=self.triggers)
        api = routes.build_app(services, routes.Options(forge_secret=SECRET, forge_url=URL))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url=URL)
        description = self.service.github.description
        objects = Objects(description, f"{self.service.github.url}{API}")
        self.hooks = Hooks(objects, self.service.repository, SECRET)

    def worker(self, forge: Forge, *, poll_seconds: int = 0) -> Starter:
        parts = self.service.parts
        services = replace(parts.services, triggers=self.triggers)
        means = Means.of(services, parts.database, forge, self.token, self.rules, URL)
        means = replace(means, clock=self.clock)
        return Starter(means, poll_seconds=poll_seconds, repositories=("octo/app",))

    def user(self, login: str) -> User:
        return self.service.github.state.user(login)

    def issue(self, body: str = "", *, by: str = "mallory") -> Issue:
        repository = self.service.repository
        made = Issue(repository.next_number(), self.user(by), "Say hello", body)
        repository.issues.append(made)
        return made

    def pull(self, head: str = "topic", *, by: str = "bob") -> Pull:
        repository, state = self.service.repository, self.service.github.state
        number = repository.next_number()
        made = Pull(state.new_id(), number, self.user(by), "A change", "", head, "main", False)
        repository.pulls.append(made)
        return made

    def comment(self, on: Issue | Pull, body: str, *, by: str = "bob") -> Comment:
        made = Comment(self.service.github.state.new_id(), on.number, self.user(by), body)
        self.service.repository.comments.append(made)
        return made

    def line(self, on: Pull, body: str, review_id: int, *, by: str = "bob") -> Comment:
        made = Comment(self.service.github.state.new_id(), on.number, self.user(by), body)
        made.path, made.line, made.review_id = "a.txt", 3, review_id
        self.service.repository.review_comments.append(made)
        return made

    async def tell(self, told: tuple[str, bytes], **headers: str) -> httpx.Response:
        event, body = told
        signed = self.hooks.headers(event, body) | headers
        return await self.client.post("/hooks/forge", content=body, headers=signed)

    async def mention(self, on: Issue | Pull, body: str = "@helper go", by: str = "bob") -> Comment:
        said = self.comment(on, body, by=by)
        response = await self.tell(self.hooks.comment(on, said))
        assert response.status_code == 202, response.text
        return said

    async def act(self, seconds: float = 60) -> None:
        """A while later: what is due is begun and answered."""
        self.clock.advance(seconds)
        await self.starter.handle()
        await self.starter.answer()

    async def kept(self) -> Sequence[Trigger]:
        query = trigger_table.select().order_by(trigger_table.c.id)
        return await self.service.parts.database.read(
            lambda tx: [to_trigger(row) for row in tx.execute(query)]
        )

    async def stages(self) -> list[Stage]:
        return [one.stage for one in await self.kept()]

    async def tasks(self) -> list[Task]:
        """Oldest first."""
        ids = task_table.select().order_by(task_table.c.created_at)
        found = await self.service.parts.database.read(
            lambda tx: [tasks.find_task(tx, row.id) for row in tx.execute(ids)]
        )
        return [one for one in found if one is not None]

    async def task(self) -> Task:
        (only,) = await self.tasks()
        return only

    async def prompts(self, session: Session) -> list[str]:
        waiting = await self.service.parts.database.read(
            lambda tx: events.unread_messages(tx, session.id)
        )
        return [one.content for one in waiting]

    async def log(self, session: Session) -> list[Event]:
        return await self.service.parts.database.read(lambda tx: events.session_log(tx, session.id))

    async def bring(
        self,
        state: State,
        *,
        pull: Pull | None = None,
        said: NewEvent | None = None,
        message: str | None = None,
    ) -> Task:
        """The only task, carried there as a worker would, with what it has made."""
        parts, task = self.service.parts, await self.task()
        books = Ledger(parts.database, parts.live, parts.changes)
        held = (await books.take(task.session.id)).session
        await books.drain(held)
        started = NewEvent(EventType.SESSION_START, {"baseSha": BASE})
        held, _ = await books.begin(held, BASE, started)
        if said is not None:
            await books.append(held, [said])
        if pull is not None:
            await books.add_artifact(held, PullArtifact(pull.id, pull.number))
        if state is State.WAITING_FOR_USER:
            assert await books.rest(held, state)
        elif state is State.IDLE:
            reason = Reason.BUDGET_EXHAUSTED
            assert await books.rest(held, state, reason=reason, message=message)
        else:
            assert await books.finish(held, state, message=message)
        return await self.task()

    async def own(self) -> Pull:
        """A pull request of a task that has ended; its branch is where the task works."""
        await self.mention(self.issue())
        await self.act()
        session = (await self.task()).session
        self.service.github.state.branch(self.service.repository, session.head_ref, "topic")
        pull = self.pull(session.head_ref, by="helper")
        await self.bring(State.COMPLETED, pull=pull)
        await self.act()
        return pull

    def answers(self, on: Issue | Pull) -> list[str]:
        """What the machine's user has said."""
        said = self.service.repository.comments
        return [c.body for c in said if c.number == on.number and c.user is self.machine]
