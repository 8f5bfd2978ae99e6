"""Requests to GitHub's API: REST, and GraphQL for the few things that only it does."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from journeyman.forge.rest import Api, Denied, Dialect

VERSION = "2022-11-28"
"""The oldest that GitHub and every supported GitHub Enterprise Server take."""
DIALECT = Dialect(
    "GitHub", headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": VERSION}
)


class GitHubApi(Api):
    """*graphql_url* is beside *url*."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        graphql_url: str,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(client, url, DIALECT, clock=clock)
        self._graphql_url = graphql_url

    async def graphql(self, secret: str, query: str, variables: Mapping[str, Any]) -> Any:
        body = {"query": query, "variables": dict(variables)}
        async with self._alone(secret):
            answer = await self._patient("POST", secret, self._graphql_url, body=body)
        found = self.decoded(answer.body, dict[str, Any])
        if errors := found.get("errors"):
            told = "; ".join(str(one.get("message", "")) for one in errors[:3])
            if any(one.get("type") == "RATE_LIMITED" for one in errors):
                raise self._limit(secret, answer, told)
            raise Denied(200, f"GitHub refused: {told[:500]}")
        return found.get("data")
