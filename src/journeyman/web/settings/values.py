"""Secrets and variables as a form sends them, of a repository or of an organization."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from journeyman.domain.errors import not_found
from journeyman.domain.secrets import Kind, Place, Sharing, Value
from journeyman.service.secrets import MOST, Secrets

LARGEST_FORM = 1 << 20
"""Bytes: a value of the greatest length, with every character escaped."""
FIELDS = frozenset({"name", "value", "selected_repository_ids"})
Kept = Mapping[Kind, Sequence[Value]]


def kind_of(sent: Mapping[str, str]) -> Kind:
    return Kind.VARIABLE if sent.get("kind") == Kind.VARIABLE else Kind.SECRET


def kind_in(path_params: Mapping[str, str]) -> Kind:
    """NOT_FOUND for a word that is none."""
    if path_params["kind"] not in set(Kind):
        raise not_found("Not Found")
    return Kind(path_params["kind"])


async def put(secrets: Secrets, place: Place, sent: Mapping[str, str], sharing: Sharing) -> None:
    """A secret or a variable, in place of the one of that name."""
    name, value = sent.get("name", "").strip(), sent.get("value", "").replace("\r\n", "\n")
    if place.kind is Kind.SECRET:
        await secrets.put_plain(place, name, value, sharing)
        return
    known, _ = await secrets.list_values(place, 1, MOST)
    if name.upper() in {one.name for one in known}:
        await secrets.change_variable(place, name, None, value, sharing)
    else:
        await secrets.add_variable(place, name, value, sharing)


async def kept(secrets: Secrets, places: Mapping[Kind, Place]) -> Kept:
    return {kind: (await secrets.list_values(place, 1, MOST))[0] for kind, place in places.items()}
