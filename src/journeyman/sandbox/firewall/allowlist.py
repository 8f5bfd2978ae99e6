"""A repository's allowlist, as GitHub's settings write it, as rules of ours.

Knows nothing of who wrote it.
"""

from __future__ import annotations

from collections.abc import Iterable

from journeyman.sandbox.firewall import rules

PORTS = {"https": 443, "http": 80}


def translated(entries: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The rules that *entries* mean, and those entries that mean none."""
    found: list[str] = []
    wrong = []
    for entry in entries:
        try:
            found += _rules(entry)
        except ValueError:
            wrong.append(entry)
    return tuple(found), tuple(wrong)


def _rules(entry: str) -> list[str]:
    """A host means what is below it, too; a URL means its host at its port, whatever its path:
    what is asked of a host cannot be seen through TLS. Raises ValueError."""
    scheme, is_url, rest = entry.partition("://")
    place = (rest if is_url else entry).partition("/")[0]
    if is_url and scheme not in PORTS:
        raise ValueError(f"{scheme!r} is not http or https")
    rule = rules.parse(place)
    if is_url:
        named = rule.ports != rules.WEB_PORTS
        return [place if named else f"{place}:{PORTS[scheme]}"]
    if rule.below or rule.host == "*" or rules.is_address(rule.host):
        return [place]
    return [place, f"*.{place}"]
