"""`journeyman usage`: what models were asked for, and what that cost."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from journeyman.cli import options, output

NANO_CREDITS_PER_DOLLAR = 100 * 10**9


def register(root: typer.Typer) -> None:
    root.command("usage")(usage)


def usage(
    days: Annotated[int, typer.Option(min=1, max=366, help="How many, today included.")] = 30,
    repository: Annotated[
        str | None,
        typer.Option(
            "--repo", metavar="OWNER/REPO", callback=options.full_name, help="Of one only."
        ),
    ] = None,
    url: options.Url = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell what was spent: in all, by repository, user and model, and by day."""
    from journeyman import config
    from journeyman.cli.client import Client

    with Client(config.load_client(url=url)) as client:
        found = client.usage(days, repository)
    if as_json:
        output.print_json(found)
        return
    rows = [("in all", "", *_amounts(found["total"]))]
    for what, shares in (
        ("repository", found["repositories"]),
        ("user", found["users"]),
        ("model", found["models"]),
    ):
        rows += [(what, str(share["name"]), *_amounts(share)) for share in shares]
    rows += [("day", day["date"], _dollars(day), "", "") for day in found["days"] if day["amount"]]
    output.print_table(("BY", "", "USD", "INPUT TOKENS", "OUTPUT TOKENS"), rows)


def _amounts(spent: dict[str, Any]) -> tuple[str, str, str]:
    return _dollars(spent), f"{spent['input_tokens']:,}", f"{spent['output_tokens']:,}"


def _dollars(spent: dict[str, Any]) -> str:
    """Of what has a known price."""
    return f"{spent['amount'] / NANO_CREDITS_PER_DOLLAR:,.2f}"
