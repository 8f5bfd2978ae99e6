"""Files of a repository by the two operations that GitHub's and Gitea's APIs share for it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.forge.rest import Api, Missing, path_of, secret_of

FILE_BYTES = 128 << 10
MOST_FILES = 200


class Entry(msgspec.Struct):
    """A file in a directory."""

    path: str
    type: str
    sha: str
    size: int = 0


class Blob(msgspec.Struct):
    content: str


class RestTexts:
    def __init__(self, api: Api) -> None:
        self._api = api

    async def below(
        self, actor: Actor, repository: Repository, ref: str, directory: str
    ) -> Mapping[str, str]:
        """Files are taken from the listing's ids, so that links lead nowhere."""
        secret, path = secret_of(actor), path_of(repository)
        where = f"{path}/contents/{quote(directory.strip('/'))}"
        try:
            listed = await self._api.get(secret, where, list[Entry] | Entry, ref=ref)  # type: ignore[arg-type]
        except Missing:
            return {}
        entries = listed if isinstance(listed, list) else []
        files = [one for one in entries if one.type == "file" and one.size <= FILE_BYTES]
        found = dict[str, str]()
        for one in files[:MOST_FILES]:
            blob = await self._api.get(secret, f"{path}/git/blobs/{one.sha}", Blob)
            found[one.path] = base64.b64decode(blob.content).decode("utf-8", "replace")
        return found
