"""Custom agents: who a repository lets the agent be. Every key of GitHub's profiles.

Knows nothing of models and tools but their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from journeyman.agent.customisation.documents import Document, Problem, parse
from journeyman.agent.text import clean

DIRECTORY = ".github/agents/"
SUFFIXES = (".agent.md", ".md")
PROMPT_CHARS = 30_000
KEYS = frozenset(
    {
        "name",
        "description",
        "target",
        "tools",
        "model",
        "disable-model-invocation",
        "user-invocable",
        "infer",
        "mcp-servers",
        "metadata",
        # for editors only
        "argument-hint",
        "handoffs",
        "agents",
    }
)
ALIASES: Mapping[str, tuple[str, ...]] = {
    "bash": ("execute", "shell", "powershell"),
    "bash_wait": ("execute", "shell", "powershell", "bash"),
    "view": ("read", "notebookread"),
    "edit": ("multiedit", "write", "notebookedit"),
    "create": ("edit", "multiedit", "write", "notebookedit"),
    "apply_patch": ("edit", "multiedit", "write", "notebookedit"),
    "search": ("grep",),
    "glob": ("search",),
    "task": ("agent", "custom-agent"),
    "plan": ("todo", "todowrite"),
    "web_fetch": ("web", "webfetch"),
    "skill": (),
}
"""The other names of each tool, in small letters."""
ALWAYS = frozenset({"report_progress", "ask_user", "skill"})
"""Without them work could not be delivered, nor a decision asked for."""


@dataclass(frozen=True)
class Profile:
    id: str
    """The file's name without its suffix: what `custom_agent` says."""
    path: str
    name: str
    description: str
    prompt: str
    tools: tuple[str, ...] | None = None
    """As written; None: all."""
    models: tuple[str, ...] = ()
    """The first that is configured is meant."""
    target: str | None = None
    by_model: bool = True
    """Whether another agent may hand it a part of its work."""
    by_user: bool = True
    mcp_servers: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def allows(self, tool: str) -> bool:
        """Whether the profile gives *tool*, by our name for it, or `server/tool` of MCP."""
        if self.tools is None or tool in ALWAYS:
            return True
        given = {name.strip().lower() for name in self.tools}
        if "*" in given or tool.lower() in given:
            return True
        server, slash, _ = tool.lower().partition("/")
        return f"{server}/*" in given if slash else not given.isdisjoint(ALIASES.get(tool, ()))


def read(files: Mapping[str, str]) -> tuple[list[Profile], list[Problem]]:
    """All that can be chosen, by name; and what is wrong with those that cannot."""
    found, problems = dict[str, Profile](), list[Problem]()
    for path in sorted(files, key=lambda path: (not path.endswith(SUFFIXES[0]), path)):
        name = path.removeprefix(DIRECTORY)
        if not path.startswith(DIRECTORY) or "/" in name or not name.endswith(SUFFIXES[1]):
            continue
        document = parse(path, files[path])
        if document.problems:
            problems += document.problems
            continue
        profile = _profile(
            next(name.removesuffix(s) for s in SUFFIXES if name.endswith(s)), document
        )
        if profile.id.lower() in found:
            problems.append(Problem(path, f"{found[profile.id.lower()].path} has the same name"))
        elif profile.target != "vscode":
            found[profile.id.lower()] = profile
    return sorted(found.values(), key=lambda profile: profile.id), problems


def find(profiles: Sequence[Profile], name: str) -> Profile | None:
    """By the file's name, else by the name inside; small and capital letters are the same."""
    wanted = name.strip().lower()
    wanted = next((wanted.removesuffix(s) for s in SUFFIXES if wanted.endswith(s)), wanted)
    by_id = (profile for profile in profiles if profile.id.lower() == wanted)
    by_name = (profile for profile in profiles if profile.name.lower() == wanted)
    return next(by_id, None) or next(by_name, None)


def _profile(id_: str, document: Document) -> Profile:
    keys = document.keys
    problems = list(_problems(document))
    prompt = clean(document.body).strip()
    if len(prompt) > PROMPT_CHARS:
        what = f"only the first {PROMPT_CHARS} characters of its prompt are used"
        problems.append(Problem(document.path, what))
    return Profile(
        id=id_,
        path=document.path,
        name=_text(keys.get("name")) or id_,
        description=_text(keys.get("description")),
        prompt=prompt[:PROMPT_CHARS],
        tools=_names(keys.get("tools")),
        models=_names(keys.get("model")) or (),
        target=_text(keys.get("target")) or None,
        by_model=keys.get("disable-model-invocation", keys.get("infer") is False) is not True,
        by_user=keys.get("user-invocable") is not False,
        mcp_servers=keys["mcp-servers"] if isinstance(keys.get("mcp-servers"), dict) else {},
        metadata=_metadata(keys.get("metadata")),
        problems=tuple(problems),
    )


def _problems(document: Document) -> Iterator[Problem]:
    keys = document.keys
    for key in keys.keys() - KEYS:
        yield document.problem(key, f"unknown key {key!r} is ignored")
    if not _text(keys.get("description")):
        yield Problem(document.path, "description is missing", document.lines.get("description", 1))
    for key in ("disable-model-invocation", "user-invocable", "infer"):
        if key in keys and not isinstance(keys[key], bool):
            yield document.problem(key, f"{key} must be true or false; it is ignored")
    for key in ("mcp-servers", "metadata"):
        if key in keys and not isinstance(keys[key], dict):
            yield document.problem(key, f"{key} must be a table; it is ignored")
    for key in ("tools", "model"):
        value = keys.get(key)
        if value is not None and _names(value) is None:
            yield document.problem(key, f"{key} must be a text or a list of texts; it is ignored")
    if keys.get("target") not in (None, "vscode", "github-copilot"):
        yield document.problem("target", "target is vscode or github-copilot; it is ignored")


def _text(value: Any) -> str:
    return clean(" ".join(value.split())) if isinstance(value, str) else ""


def _names(value: Any) -> tuple[str, ...] | None:
    """Of a list, or a text with commas; None for anything else."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return None
    return tuple(clean(item.strip()) for item in value if item.strip())


def _metadata(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {clean(str(key)): clean(str(item)) for key, item in value.items()}
