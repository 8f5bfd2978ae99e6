"""The templates of all pages. Every text that is not markup is escaped and made visible.

Knows nothing of tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from starlette.responses import Response

from journeyman.domain.repositories import Account
from journeyman.web import addresses, ansi, highlight, markdown, render, visible
from journeyman.web.assets import Assets

HERE = Path(__file__).parent / "templates"


class Pages:
    """Every template with what all of them use."""

    def __init__(
        self, assets: Assets, *, part: str = "", scripted: bool = True, forge_url: str = ""
    ) -> None:
        """*part*: a folder whose templates come before those of the same name. *forge_url*: where
        the users are; empty: here. All are read at once: a service outlives an upgrade of its
        files."""
        self._scripted = scripted
        self._environment = jinja2.Environment(
            loader=jinja2.DictLoader(_sources(part)),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_shown,
        )
        self._environment.globals.update(
            asset=assets.address,
            icon=cache(partial(_icon, assets)),
            to=addresses,
            forge_url=forge_url,
        )
        self._environment.filters.update(
            ago=visible.ago,
            as_typed=_as_typed,
            code=highlight.by_language,
            code_of=highlight.by_path,
            coded=markdown.coded,
            compact=visible.compact,
            duration=visible.duration,
            instant=visible.instant,
            markdown=markdown.render,
            money=visible.money,
            one_line=visible.one_line,
            terminal=ansi.output,
            with_query=addresses.with_query,
        )

    def render(self, template: str, **values: Any) -> str:
        values.setdefault("now", datetime.now(UTC))
        return self._environment.get_template(template).render(values)

    def page(
        self,
        template: str,
        *,
        account: Account | None,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        form_goes_to: str = "",
        **values: Any,
    ) -> Response:
        """*form_goes_to*: an address that the answer to the page's form may redirect to."""
        policy = render.policy(scripted=self._scripted, form_goes_to=form_goes_to)
        return Response(
            self.render(template, account=account, **values).encode("utf-8", "replace"),
            status,
            headers={**render.HEADERS, "Content-Security-Policy": policy, **(headers or {})},
            media_type="text/html",
        )


def _sources(part: str) -> dict[str, str]:
    """By name within its folder."""
    folders = [HERE, HERE / part] if part else [HERE]
    return {
        file.relative_to(folder).as_posix(): file.read_text("utf-8")
        for folder in folders
        for file in folder.rglob("*")
        if file.is_file()
    }


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup) else visible.visible(value)


def _as_typed(value: str) -> Markup:
    """For a field that a person goes on writing in: not a character is changed."""
    return escape(value)


def _icon(assets: Assets, name: str, label: str = "") -> Markup:
    """A symbol of the sprite; without a *label* it is decoration."""
    says = Markup('aria-hidden="true"')
    if label:
        says = Markup('role="img" aria-label="{}"').format(label)
    return Markup('<svg class="icon icon-{0}" {1}><use href="{2}#{0}"></use></svg>').format(
        name, says, assets.address("icons.svg")
    )
