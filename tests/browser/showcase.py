"""A server as it looks after a morning's work: a small shop, three people, tasks of every kind.

The tasks are real runs against a scripted model; for pictures, and for looking at the dashboard.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import git
from tests.e2e.server import Client, Server, journeyman, running
from tests.peers.formats import Json
from tests.peers.model_server import ModelServer, Say

REPOSITORY = "ada/shop"
ORGANIZATION = "harbour"
MODEL = "gpt-4.1"

PRICES = '''"""What things cost, in cents."""

from __future__ import annotations

from shop.tax import RATES


def gross(net: int, country: str) -> int:
    return net + net * RATES[country] // 100


def total(items: list[tuple[int, int]], country: str) -> int:
    """*items*: pairs of a net price and how many."""
    return sum(gross(net, country) * count for net, count in items)
'''
TEST = """import unittest

from shop.prices import gross, total


class Prices(unittest.TestCase):
    def test_tax_is_added(self):
        self.assertEqual(gross(1000, "de"), 1190)

    def test_many_are_rounded_once(self):
        self.assertEqual(total([(33, 3)], "de"), 118)


if __name__ == "__main__":
    unittest.main()
"""
RUN = "python3 -m unittest -v tests.test_prices"
FIXED = '''    """*items*: pairs of a net price and how many. Rounded once, at the end."""
    net = sum(price * count for price, count in items)
    return round(net * (100 + RATES[country]) / 100)
'''
WRONG = '''    """*items*: pairs of a net price and how many."""
    return sum(gross(net, country) * count for net, count in items)
'''

ROUNDING = [
    Say(
        "I'll look at how prices are put together before changing anything.",
        [("view", {"path": "shop/prices.py"}), ("bash", {"command": RUN})],
        reasoning="The test says three items at 33 cents. Rounding each one loses a cent.",
        input_tokens=4200,
        output_tokens=180,
    ),
    Say(
        "The tax is rounded **per item**, so three items at 33 cents lose a cent. "
        "It has to be added to the sum instead.",
        [("edit", {"path": "shop/prices.py", "old": WRONG, "new": FIXED})],
        input_tokens=5900,
        output_tokens=320,
        cached_tokens=4096,
    ),
    Say("Now the tests again.", [("bash", {"command": RUN})], input_tokens=6600, output_tokens=60),
    Say(
        "",
        [
            (
                "report_progress",
                {
                    "commit_message": "Round a basket once, not every item",
                    "pr_description": "- [x] Find where the cent is lost\n- [x] Round the sum\n"
                    "- [x] Run the tests",
                },
            )
        ],
        input_tokens=7100,
        output_tokens=140,
    ),
    Say(
        "The total of a basket is now rounded once.\n\n| basket | before | now |\n|---|---|---|\n"
        "| 3 at 33 ct | 117 | **118** |\n\nBoth tests pass.",
        input_tokens=7400,
        output_tokens=120,
    ),
]
QUESTION = [
    Say("Two countries share a code in the table.", [("bash", {"command": "cat shop/tax.py"})]),
    Say(
        "",
        [
            (
                "ask_user",
                {
                    "question": "Greece is `gr` in ISO 3166 and `el` in the EU's VAT numbers. "
                    "Which one shall the shop use?",
                    "options": ["gr", "el", "both"],
                },
            )
        ],
    ),
]
WAIT = "for i in $(seq 1 600); do printf '\\033[32m✓\\033[0m country %s\\n' $i; sleep 1; done"
SLOW = [Say("I'll run the whole suite against every country first.", [("bash", {"command": WAIT})])]
BROKEN = [Say("", [("bash", {"command": "exit 1"})], finish="content_filter")]
PLAN = ("Find functions that nobody calls", "Find imports that nobody needs", "Remove both")
DEAD = [
    Say(
        "Two searches that stand alone, so two sub-agents make them.",
        [
            ("plan", {"steps": [{"content": step} for step in PLAN]}),
            (
                "task",
                {
                    "description": "Functions nobody calls",
                    "prompt": "Which functions in `shop/` does nobody call? Answer with a list.",
                },
            ),
            (
                "task",
                {
                    "description": "Imports nobody needs",
                    "prompt": "Which imports in `shop/` does nobody need? Answer with a list.",
                },
            ),
        ],
    ),
    Say(
        "",
        [
            (
                "plan",
                {
                    "steps": [
                        {"content": step, "status": state}
                        for step, state in zip(
                            PLAN, ("completed", "completed", "in_progress"), strict=True
                        )
                    ]
                },
            ),
            ("bash", {"command": "git ls-remote https://shop.example.org/vulture.git"}),
            ("create", {"path": "shop/unused.txt", "content": "gross: only called by total\n"}),
        ],
    ),
    Say("Nothing is dead: `gross` is called by `total`, and every import is used."),
]
FUNCTIONS = [
    Say("", [("search", {"pattern": "def ", "path": "shop"}), ("bash", {"command": "ls -l shop"})]),
    Say("`gross` is called by `total`; `total` by the tests. None is dead."),
]
IMPORTS = [
    Say("", [("search", {"pattern": "^(from|import) ", "path": "shop"})]),
    Say("`RATES` is used in `gross`. None is needless."),
]
STORIES = {
    "dead code": DEAD,
    "does nobody call": FUNCTIONS,
    "does nobody need": IMPORTS,
    "loses a cent": ROUNDING,
    "VAT": QUESTION,
    "suite": SLOW,
    "every dependency": BROKEN,
}
RENAMED = [
    Say("", [("bash", {"command": "sed -i s/gross/with_tax/g shop/*.py tests/*.py"})]),
    Say("It is called `with_tax` everywhere."),
]


def _turn(number: int, request: Json) -> Say:
    prompt = str(request["messages"])
    for word, story in STORIES.items():
        if word in prompt:
            return story[min(number, len(story) - 1)]
    return RENAMED[min(number, len(RENAMED) - 1)]


@dataclass
class Showcase:
    server: Server
    tasks: dict[str, str]
    """Page addresses by a word."""


@contextmanager
def _model() -> Iterator[str]:
    ready, over, urls = threading.Event(), threading.Event(), list[str]()

    async def serve() -> None:
        async with ModelServer(_turn, latency_seconds=0.7, pieces=12, gap_seconds=0.02) as model:
            urls.append(model.base_url)
            ready.set()
            while not over.is_set():
                await asyncio.sleep(0.1)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ready.wait(10)
    try:
        yield urls[0]
    finally:
        over.set()
        thread.join()


def _shop(path: Path) -> Path:
    for name, content in {
        "README.md": "# shop\n\nA small shop.\n",
        "shop/__init__.py": "",
        "shop/prices.py": PRICES,
        "shop/tax.py": 'RATES = {"de": 19, "fr": 20, "at": 20}\n',
        "tests/__init__.py": "",
        "tests/test_prices.py": TEST,
        ".github/agents/reviewer.agent.md": "---\nname: reviewer\ndescription: Looks for what is "
        "missing.\n---\nRead the change as a stranger would.\n",
    }.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    git("init", "-q", "-b", "main", cwd=path)
    git("add", "-A", cwd=path)
    git("commit", "-qm", "Open the shop", cwd=path)
    return path


@contextmanager
def showcase(place: Path) -> Iterator[Showcase]:
    with _model() as url:
        environ = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": url, "OPENAI_MODEL": MODEL}
        with running(Server(place / "data", environ)) as server:
            yield Showcase(server, _work(server, place))


def _work(server: Server, place: Path) -> dict[str, str]:
    clients = {}
    for user in ("ada", "grace"):
        made = journeyman("token", "create", "--user", user, "--create-user", data=server.data)
        assert made.returncode == 0, made.stderr
        clients[user] = Client(server.url, made.stdout.strip())
    for name in (REPOSITORY, "ada/website", f"{ORGANIZATION}/handbook"):
        source = _shop(place / name.replace("/", "-"))
        added = journeyman("repo", "add", name, str(source), data=server.data)
        assert added.returncode == 0, added.stderr
    ada = clients["ada"]

    def begin(prompt: str, *states: str, repository: str = REPOSITORY, **body: object) -> str:
        task = ada.create(repository, prompt, **body)
        ada.wait(task["id"], *states)
        return f"/{repository}/agents/tasks/{task['id']}"

    fence = "```sh\ngrep -rn colour . || echo 'nothing to do'\n```"
    tasks = {
        "renamed": begin("Rename `gross` to `with_tax` in the website", repository="ada/website"),
        "script": begin(f"Spell colour as the Americans do\n\n{fence}", model="script"),
        "failed": begin("Say which licence every dependency has"),
        "cent": begin(
            "A basket of three items loses a cent\n\n`tests/test_prices.py` shows it: three items "
            "at 33 cents come to 117 and should be 118. Mend `shop/prices.py`, and leave the tests "
            "as they are.",
            create_pull_request=True,
        ),
        "dead": begin("Look for dead code and list it"),
        "question": begin("Add the VAT of Greece", "waiting_for_user"),
        "running": begin("Run the suite for every country and mend what fails", "in_progress"),
    }
    for client in clients.values():
        client.http.close()
    return tasks
