"""GitHub's Link header for the two lists."""

from __future__ import annotations

import re

from journeyman.api import pagination
from tests.unit.api.requests import request

PATH = "/agents/repos/octo/hello/tasks"


def rels(header: str) -> dict[str, str]:
    """As octokit and PyGithub read it."""
    return {rel: url for url, rel in re.findall(r'<([^<>]+)>;\s*rel="(\w+)"', header)}


def test_the_only_page_has_first_and_last() -> None:
    header = pagination.link(request(PATH), page=1, has_more=False)
    assert rels(header) == {
        "last": f"http://forge.test{PATH}?page=1",
        "first": f"http://forge.test{PATH}?page=1",
    }


def test_a_page_between_has_no_last() -> None:
    header = pagination.link(request(f"{PATH}?page=2&per_page=5"), page=2, has_more=True)
    assert rels(header) == {
        "prev": f"http://forge.test{PATH}?per_page=5&page=1",
        "next": f"http://forge.test{PATH}?per_page=5&page=3",
        "first": f"http://forge.test{PATH}?per_page=5&page=1",
    }


def test_the_own_list_never_has_prev() -> None:
    header = pagination.link(request("/agents/tasks"), page=2, has_more=False, with_prev=False)
    assert set(rels(header)) == {"last", "first"}


def test_no_address_has_a_raw_comma() -> None:
    """go-github splits the header at commas."""
    asked = request(f"{PATH}?state=queued,idle&creator_id[]=1,2&since=2025-01-01T00:00:00%2B00:00")
    header = pagination.link(asked, page=1, has_more=True)
    assert "state=queued%2Cidle" in header
    assert "since=2025-01-01T00%3A00%3A00%2B00%3A00" in header
    assert all(part.startswith("<") for part in header.split(", "))
    assert header.count(",") == 1


def test_the_prefix_that_was_used_is_kept() -> None:
    asked = request(f"/api/v3{PATH}", root_path="/api/v3", scheme="https")
    header = pagination.link(asked, page=1, has_more=False)
    assert rels(header)["first"] == f"https://forge.test/api/v3{PATH}?page=1"


def test_a_path_beyond_ascii_is_encoded() -> None:
    header = pagination.link(request("/agents/repos/octo/grüße,/tasks"), page=1, has_more=False)
    assert rels(header)["first"].endswith("/octo/gr%C3%BC%C3%9Fe%2C/tasks?page=1")
