"""Source code with its syntax coloured, line by line, as HTML that carries classes only."""

from __future__ import annotations

from functools import lru_cache

from markupsafe import Markup, escape
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import STANDARD_TYPES, _TokenType
from pygments.util import ClassNotFound

from journeyman.web.visible import visible

MOST_CHARACTERS = 200_000
"""Longer texts stay plain: colours are not worth the wait."""
MOST_WIDTH = 5000


def by_path(text: str, path: str) -> list[Markup]:
    """The lines of a file, coloured by its name; plain when no language is known for it."""
    return _lines(text, _lexer_for_path(path.rpartition("/")[2]))


def by_language(text: str, language: str) -> list[Markup]:
    return _lines(text, _lexer_by_name(language))


@lru_cache(maxsize=200)
def _lexer_for_path(name: str) -> Lexer | None:
    try:
        return get_lexer_for_filename(name, stripnl=False, ensurenl=False)
    except (ClassNotFound, ValueError):
        return None


@lru_cache(maxsize=100)
def _lexer_by_name(language: str) -> Lexer | None:
    try:
        return get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except (ClassNotFound, ValueError):
        return None


def _lines(text: str, lexer: Lexer | None) -> list[Markup]:
    lines = text.split("\n")
    plain = lexer is None or len(text) > MOST_CHARACTERS or max(map(len, lines)) > MOST_WIDTH
    if plain or lexer is None:
        return [escape(visible(line[:MOST_WIDTH])) for line in lines]
    done: list[Markup] = [Markup("")]
    for kind, value in lexer.get_tokens(text):
        name = _class_of(kind)
        for index, part in enumerate(value.split("\n")):
            if index:
                done.append(Markup(""))
            if part:
                done[-1] += _span(part, name)
    return done


def _span(text: str, name: str) -> Markup:
    shown = visible(text)
    return Markup('<span class="{}">{}</span>').format(name, shown) if name else escape(shown)


def _class_of(kind: _TokenType) -> str:
    """Pygments' short name, with a prefix; the nearest parent's for a kind that has none."""
    while kind not in STANDARD_TYPES and kind.parent is not None:
        kind = kind.parent
    name = STANDARD_TYPES.get(kind, "")
    return f"k-{name}" if name and name not in ("w", "p", "n") else ""
