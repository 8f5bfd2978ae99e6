"""What a model or a person wrote in Markdown, as HTML that can do nothing.

Raw HTML is text, images are links, and links lead only to the web.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from journeyman.web import highlight
from journeyman.web.visible import visible

MOST_CHARACTERS = 100_000
CODE = re.compile("`([^`]+)`")


def render(text: str) -> Markup:
    shown = visible(text)
    if len(shown) > MOST_CHARACTERS:
        return Markup('<pre class="plain">{}</pre>').format(shown)
    return Markup(_parser().render(shown))  # noqa: S704 - the parser escapes; html is off


def coded(text: object) -> Markup:
    """A line with what stands between backticks as code, and nothing else of Markdown."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(visible(text)))))  # noqa: S704 - as escaped


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20})
    parser.enable(["table", "strikethrough"]).disable("image")
    parser.options["highlight"] = _code
    parser.validateLink = _leads_to_the_web  # type: ignore[method-assign]
    parser.add_render_rule("link_open", _link_open)
    for heading in ("heading_open", "heading_close"):
        parser.add_render_rule(heading, _heading)
    for cell in ("th_open", "td_open"):
        parser.add_render_rule(cell, _cell_open)
    return parser


def _leads_to_the_web(url: str) -> bool:
    return url.strip().lower().startswith(("https://", "http://", "mailto:", "#"))


def _code(text: str, language: str, _attributes: str) -> str:
    return str(Markup("\n").join(highlight.by_language(text, language)))


def _link_open(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer nofollow")
    return self.renderToken(tokens, index, options, env)


def _heading(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """All of one level, below the page's own: no outline is broken by what somebody wrote."""
    tokens[index].tag = "h3"
    return self.renderToken(tokens, index, options, env)


def _cell_open(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """Its alignment would be an inline style, which no page here may have."""
    tokens[index].attrs.pop("style", None)
    return self.renderToken(tokens, index, options, env)
