"""What the firewall refused, in the log and in a pull request."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from journeyman.domain.events import Event, NewEvent
from journeyman.runner import refusals, words
from journeyman.runner.refusals import Refusals
from journeyman.sandbox import Blocked, Network

WEB = Blocked("a.example", 443, "CONNECT", "is not on the allowlist", "curl https://a.example", 2)
NAME = Blocked("b.example", 0, "DNS", "is not on the allowlist", "getent hosts b.example")


def logged(new: list[NewEvent]) -> list[Event]:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return [Event("s", 1, seq, one.type, now, one.data) for seq, one in enumerate(new, 1)]


def test_only_what_is_new_is_told() -> None:
    found = Refusals([])
    first = found.news([WEB])
    assert [event.data["count"] for event in first] == [2]
    assert found.news([WEB]) == []
    second = found.news([replace(WEB, count=5), NAME])
    assert [(e.data["host"], e.data["count"]) for e in second] == [
        ("a.example", 3),
        ("b.example", 1),
    ]
    assert found.all() == (replace(WEB, count=5), NAME)


def test_a_later_run_goes_on_from_the_log() -> None:
    log = logged(Refusals([]).news([WEB, NAME]))
    again = Refusals(log)
    assert again.all() == (WEB, NAME)
    assert [event.data["count"] for event in again.news([WEB])] == [2]
    assert again.all() == (replace(WEB, count=4), NAME)


def test_a_pull_request_lists_places_and_commands() -> None:
    text = words.firewall_warning([WEB, replace(WEB, command="npm `ci`\n-- x"), NAME])
    assert text.startswith("> [!WARNING]\n> <details>\n> <summary>")
    assert "> - `a.example:443` (http block)\n>   - by `curl https://a.example`\n" in text
    assert ">   - by `npm 'ci' -- x`\n" in text
    assert "> - `b.example` (dns block)\n" in text
    assert text.endswith("> </details>\n\n")
    assert words.firewall_warning([]) == ""


def test_a_long_list_is_cut() -> None:
    many = [replace(WEB, host=f"h{number}.example") for number in range(30)]
    text = words.firewall_warning(many)
    assert "h19.example" in text
    assert "h20.example" not in text
    assert "> - and 10 more\n" in text


def test_the_agent_is_told_of_its_network() -> None:
    assert refusals.told(None) == "There is no network."
    assert "public hosts only" in refusals.told(Network(("*:*",)))
    assert "package indexes" in refusals.told(Network(("a.example",)))
