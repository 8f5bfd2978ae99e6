import re

import httpx

from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.sessions import State
from journeyman.service.ledger import Ledger
from tests.unit.web.conftest import EVIL, Site


async def completed(site: Site, model: str = "m", cost: int | None = 250_000_000_000) -> None:
    task = await site.task()
    books = Ledger(site.world.parts.database, site.world.parts.live, site.world.parts.changes)
    held = (await books.take(task.session.id)).session
    await books.drain(held)
    await books.begin(held, "a" * 40, NewEvent(EventType.SESSION_START, {}))
    spent = {"model": model, "cost": cost, "inputTokens": 1200, "outputTokens": 30}
    await books.append(held, [NewEvent(EventType.USAGE, spent)])
    await books.finish(held, State.COMPLETED)


def tile(page: httpx.Response, name: str) -> str:
    found = re.search(rf"<dt>{name}</dt><dd>(.*?)</dd>", page.text, re.DOTALL)
    assert found is not None
    return found[1]


async def test_the_overview_sums_up_what_one_may_see(site: Site, alice: httpx.AsyncClient) -> None:
    await completed(site)
    await site.tell(await site.task(), State.IN_PROGRESS, State.FAILED)
    page = await alice.get("/agents/overview")
    assert (tile(page, "Tasks"), tile(page, "Success rate")) == ("2", "50.0 %")
    assert tile(page, "Cost") == "$2.50"
    assert "alice/hello" in page.text
    stranger = await (await site.logged_in("mallory")).get("/agents/overview")
    assert (tile(stranger, "Tasks"), tile(stranger, "Success rate")) == ("0", "\u2013")
    assert "alice/hello" not in stranger.text


async def test_an_overview_of_nothing_has_its_charts(alice: httpx.AsyncClient) -> None:
    page = await alice.get("/agents/overview?days=90")
    assert page.status_code == 200
    assert "No worker is alive" in page.text
    assert page.text.count('<g class="column">') == 90


async def test_the_range_is_chosen_in_the_address(alice: httpx.AsyncClient) -> None:
    for asked, days in (("7", 7), ("90", 90), ("", 30), ("1e9", 30), ("-1", 30), ("\u0667", 30)):
        page = await alice.get("/agents/overview", params={"days": asked})
        assert page.text.count('<g class="column">') == days, asked


async def test_a_repository_that_may_not_be_seen_is_not_there(site: Site) -> None:
    mallory = await site.logged_in("mallory")
    assert (await mallory.get("/agents/overview?repository=alice/hello")).status_code == 404
    assert (await mallory.get("/agents/overview?repository=nonsense")).status_code == 200


async def test_the_overview_of_one_repository(site: Site, alice: httpx.AsyncClient) -> None:
    await completed(site)
    page = await alice.get("/agents/overview?repository=alice/hello")
    assert tile(page, "Tasks") == "1"
    assert "<option selected>alice/hello</option>" in page.text
    assert "/agents/overview?days=7&amp;repository=alice%2Fhello" in page.text


async def test_the_name_of_a_model_is_no_markup(site: Site, alice: httpx.AsyncClient) -> None:
    await completed(site, model=EVIL, cost=None)
    page = await alice.get("/agents/overview")
    assert EVIL not in page.text
    assert "&lt;script&gt;" in page.text


async def test_who_is_not_logged_in_is_sent_to_log_in(site: Site) -> None:
    answer = await site.browser().get("/agents/overview?days=7")
    assert answer.headers["location"] == "/login?return_to=%2Fagents%2Foverview%3Fdays%3D7"
