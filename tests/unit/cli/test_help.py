"""What `journeyman --help` lists, and how."""

import re
from pathlib import Path

from journeyman import cli
from tests.unit.cli.conftest import Run

DOCS = Path(__file__).parents[3] / "docs" / "cli.md"


def test_every_command_is_in_one_list_and_the_daily_ones_come_first(journeyman: Run) -> None:
    said = journeyman("--help").out
    listed = re.findall(r"^│ ([a-z][\w-]*) {2,}", said, re.MULTILINE)
    assert listed == [name for names in cli.PANELS.values() for name in names]
    assert re.findall(r"─ (For \w+|Commands) ─", said) == list(cli.PANELS)


def test_the_documentation_has_every_command_in_the_same_list() -> None:
    chapters = re.split(r"^## ", DOCS.read_text(), flags=re.MULTILINE)
    for panel, names in cli.PANELS.items():
        (chapter,) = (text for text in chapters if text.startswith(panel))
        cells = " ".join(re.findall(r"^\| (.*?) \|", chapter, re.MULTILINE))
        assert [name for name in names if not re.search(rf"`{name}\b", cells)] == []
