"""Reading `copilot-setup-steps.yml`: what counts, and what is told of the rest."""

from __future__ import annotations

import pytest

from journeyman.agent.customisation import setup
from journeyman.agent.customisation.setup import PATHS, Setup

WHOLE = """\
name: Copilot Setup Steps
on: workflow_dispatch
jobs:
  copilot-setup-steps:
    runs-on: ubuntu-latest
    permissions:
      contents: read
    timeout-minutes: 90
    env:
      LEVEL: 3
      DEBUG: true
    steps:
      - uses: actions/checkout@v5
        with:
          lfs: true
      - name: Install
        id: install
        if: runner.os == 'Linux'
        run: |

          npm ci
          npm run build
        env:
          TOKEN: ${{ secrets.TOKEN }}
        working-directory: web
        shell: bash
        timeout-minutes: 5
        continue-on-error: true
"""


def read(text: str) -> tuple[Setup | None, list[str]]:
    found, problems = setup.read({PATHS[0]: text})
    name = PATHS[0].rsplit("/", 1)[-1]
    return found, [str(problem).replace(PATHS[0], name) for problem in problems]


def test_every_key_that_counts() -> None:
    found, problems = read(WHOLE)
    assert problems == []
    assert found is not None
    assert (found.minutes, found.env) == (59.0, {"LEVEL": "3", "DEBUG": "true"})
    checkout, install = found.steps
    assert (checkout.name, checkout.uses) == ("actions/checkout@v5", "actions/checkout@v5")
    assert checkout.given == {"lfs": "true"}
    assert (install.name, install.id, install.directory) == ("Install", "install", "web")
    assert (install.shell, install.minutes, install.may_fail) == ("bash", 5.0, True)
    assert install.condition == "runner.os == 'Linux'"
    assert install.env == {"TOKEN": "${{ secrets.TOKEN }}"}


def test_a_step_without_a_name_is_called_by_its_first_line() -> None:
    found, _ = read(WHOLE.replace("name: Install\n        id", "id"))
    assert found is not None
    assert found.steps[1].name == "npm ci"


def test_none_is_none() -> None:
    assert setup.read({}) == (None, [])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("jobs: [\n", "copilot-setup-steps.yml:2: not valid YAML"),
        ("jobs:\n  build:\n    steps: []\n", ":1: there is no job 'copilot-setup-steps'"),
        ("x: 1\n", "there is no job"),
        (WHOLE.replace("    steps:", "    stages:"), ":12: 'stages' is ignored"),
        (WHOLE.replace("    steps:", "    stages:"), "steps must be a list"),
    ],
)
def test_a_file_without_steps_sets_nothing_up(text: str, problem: str) -> None:
    found, problems = read(text)
    assert found is None
    assert any(problem in said for said in problems), problems


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("minutes: 90\n", "minutes: 90\n    services: {}\n"), ":9: 'services' is ignored"),
        (("        id:", "        colour:"), ":17: unknown key 'colour' is ignored"),
        (("timeout-minutes: 5", "timeout-minutes: soon"), ":27: timeout-minutes is 'soon'"),
        (("timeout-minutes: 5", "timeout-minutes: .nan"), ":27: timeout-minutes is nan"),
        (("timeout-minutes: 5", "timeout-minutes: .inf"), ":27: timeout-minutes is inf"),
        (("      - uses: actions/checkout@v5", "      - name: x"), ":13: a step needs run or uses"),
        (("          lfs: true", "          - lfs"), ":14: with must be a table"),
    ],
)
def test_what_is_wrong_with_a_step_is_told_with_its_line(
    change: tuple[str, str], problem: str
) -> None:
    found, problems = read(WHOLE.replace(*change))
    assert found is not None
    assert any(problem in said for said in problems), problems
