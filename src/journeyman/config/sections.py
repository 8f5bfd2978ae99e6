"""What can be set, with its types and defaults. Knows nothing of where it is written."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from os.path import isdir
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from journeyman.agent.acp import Permissions
from journeyman.api.ratelimit import RateOptions
from journeyman.config.forges import Forge
from journeyman.config.limits import SessionLimits
from journeyman.config.triggers import Triggers
from journeyman.domain.errors import invalid
from journeyman.domain.retention import Retention
from journeyman.sandbox import Limits

MASK = "********"
ADDRESS = re.compile(r"https?://[^/\s]+")

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Size = Annotated[int, msgspec.Meta(ge=1 << 20, title="size")]
"""Bytes; written as a number or with a unit: 512MiB, 4GiB."""
Names = tuple[str, ...]
"""In the environment: separated by commas."""
Pairs = dict[str, str]
"""In the environment: NAME=VALUE, separated by commas."""


@dataclass(frozen=True)
class Server:
    host: str = "127.0.0.1"
    port: Port = 8080
    public_url: str = ""
    """What links and clone addresses start with, for a server behind a proxy."""


@dataclass(frozen=True)
class Database:
    url: str = field(default="", repr=False)
    """A PostgreSQL address when one machine is not enough; its password never shows."""


@dataclass(frozen=True)
class Worker:
    concurrency: AtLeastOne = 4
    """Sessions at once in this process."""
    urgent: AtLeastOne = 1
    """Urgent ones at once in this process, beside those."""
    per_user: AtLeastOne = 3
    """Sessions at once of one user, over all processes: places are left for others."""
    global_concurrency: Annotated[int, msgspec.Meta(ge=0)] = 0
    """Sessions at once over all processes, the urgent ones beside them; 0: what all can take."""
    polling_seconds: Annotated[float, msgspec.Meta(ge=0.01, le=60)] = 0.1
    """How often each worker looks into the queue: a task waits half of it, shared by the idle."""
    drain_seconds: NotNegative = 30.0
    """How long a stop waits for running steps; what is cut off then resumes elsewhere."""
    server_url: str = ""
    """Where `serve` answers, for a `worker` that does not share its data directory."""

    def __post_init__(self) -> None:
        if self.server_url and not ADDRESS.match(self.server_url):
            key = "worker.server_url"
            said = f"{key} is {self.server_url!r}; give an address like https://agents.example."
            raise invalid(key, said, "invalid")


@dataclass(frozen=True)
class Sandbox:
    backend: Literal["bubblewrap", "docker", "podman"] = "bubblewrap"
    image: str = ""
    """For a container engine; empty: the server's own system, nothing is downloaded."""
    images: Pairs = field(default_factory=dict)
    """Other images, by repository: OWNER/NAME."""
    system: str = ""
    """For bubblewrap: a folder with the root of another system; empty: the server's own."""
    socket: str = ""
    """Where the engine listens; empty: its usual place."""
    runtime: str = ""
    """One that the engine knows, such as runsc; empty: its default."""
    uid: AtLeastOne = 1001
    """Whom commands run as when the service is root."""
    memory: Size = Limits.memory_bytes
    cpus: Annotated[float, msgspec.Meta(gt=0)] = Limits.cpus
    pids: AtLeastOne = Limits.pids
    open_files: AtLeastOne = Limits.open_files
    disk: Size = Limits.disk_bytes
    caches: bool = False
    """Whether sessions of a repository share what its package managers have fetched."""

    @property
    def limits(self) -> Limits:
        return Limits(self.memory, self.cpus, self.pids, self.open_files, self.disk)


@dataclass(frozen=True)
class Firewall:
    enabled: bool = True
    """False: sessions reach every public host. Private addresses stay closed all the same."""
    recommended: bool = True
    """The package indexes that pip, npm, apt and Go use on this machine."""
    allow: Names = ()
    """More hosts: `host`, `*.host` for what is below it, `host:port`."""
    setup_allow: Names = ()
    """More hosts for a repository's setup steps alone."""
    mcp_allow: Names = ()
    """More hosts for MCP servers alone."""
    repositories: bool = True
    """Whether a repository's administrators may add hosts and turn the firewall off."""
    allowed_networks: Names = ()
    """Ranges that are not public, to which allowed names may lead."""


@dataclass(frozen=True)
class Webhooks:
    allowed_networks: Names = ()
    """Ranges that are not public, in which receivers may be."""
    ca_file: str = ""
    """Authorities to trust beside the system's own, in PEM, for receivers inside a company."""

    def __post_init__(self) -> None:
        try:
            if self.ca_file:
                ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:  # ssl.SSLError is one
            said = f"webhooks.ca_file: {self.ca_file!r} has no certificates in PEM ({error})."
            raise invalid("webhooks.ca_file", said, "invalid") from error


@dataclass(frozen=True)
class Agent:
    instructions: str = ""
    """A file with what the agents of every repository are told; empty: nothing."""

    def __post_init__(self) -> None:
        if not self.instructions:
            return
        try:
            Path(self.instructions).read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            said = f"agent.instructions: {self.instructions!r} cannot be read: {why}."
            raise invalid("agent.instructions", said, "invalid") from error


@dataclass(frozen=True)
class Models:
    preference: Names = ()
    """What `auto` tries, in this order: PROVIDER:MODEL or MODEL; empty: all, as written."""
    review: str = ""
    """Reviews each change before it is delivered; empty: none does."""


@dataclass(frozen=True)
class Checks:
    secrets: Literal["block", "report"] = "block"
    """What becomes of work that holds what looks like a secret: kept from the forge, or pushed."""
    advisories: str = ""
    """A folder of advisories in the OSV format; empty: packages are not looked up."""

    def __post_init__(self) -> None:
        if self.advisories and not isdir(self.advisories):
            said = (
                f"checks.advisories: {self.advisories!r} is no folder; make it, and put osv.dev's "
                "all.zip of each ecosystem into it."
            )
            raise invalid("checks.advisories", said, "invalid")


@dataclass(frozen=True)
class Log:
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"
    """auto: for people on a terminal, JSON otherwise."""


@dataclass(frozen=True)
class Metrics:
    token: str = field(default="", repr=False)
    """Whoever sends it may read them; empty: only this machine may, and not through a proxy."""
    host: str = "127.0.0.1"
    port: Port | None = None
    """Where a worker without the API serves its own; none: nowhere."""


@dataclass(frozen=True)
class Provider:
    name: str
    kind: Literal[
        "anthropic", "bedrock", "google", "openai", "openai-compatible", "openrouter", "recorded"
    ]
    models: Names
    base_url: str | None = None
    """Empty: the provider's own; an openai-compatible one has none. Of a recorded one: the file."""
    api_key: str | None = field(default=None, repr=False)
    region: str | None = None
    """For bedrock."""
    window_tokens: AtLeastOne | None = None
    """What fits into its models, for those that no price list knows."""
    max_output_tokens: AtLeastOne | None = None
    images: bool | None = None
    """Whether its models take images; None: those of all kinds but openai-compatible do."""
    first_token_timeout_seconds: AtLeastOne = 180
    """Also the longest silence inside a reply."""
    total_timeout_seconds: AtLeastOne = 1200


@dataclass(frozen=True)
class Acp:
    """An agent of others, over the Agent Client Protocol."""

    name: str
    command: Names
    env: Pairs = field(default_factory=dict, repr=False)
    """`{url}` and `{model}` in a value stand for where it finds its model, and which."""
    model: str = ""
    """PROVIDER:MODEL, served to it without the key; empty: it has ways of its own."""
    mode: str = ""
    """One of its own modes, by id."""
    permissions: Permissions = Permissions.ALLOW
    folders: Names = ()
    """Where its program is, unless the sandbox has it anyway."""
    description: str = ""


@dataclass(frozen=True)
class Git:
    """For repositories whose home is on another git server."""

    credentials: Pairs = field(default_factory=dict, repr=False)
    """USER:PASSWORD by host, for http and https; the password may be a token."""
    ca_files: Pairs = field(default_factory=dict)
    """By host: certificates to trust instead of the system's, in PEM."""
    ssh_key_file: str = ""
    """Empty: the keys that ssh takes by itself."""
    ssh_known_hosts_file: str = ""
    """Empty: the hosts that ssh knows by itself."""

    def __post_init__(self) -> None:
        for key, file in self._files():
            if file and not Path(file).is_file():
                raise invalid(f"git.{key}", f"git.{key}: {file!r} is no file.", "invalid")
        for host, pair in self.credentials.items():
            if not all(pair.partition(":")):
                said = f"git.credentials: that of {host!r} is not USER:PASSWORD."
                raise invalid("git.credentials", said, "invalid")

    def _files(self) -> Iterator[tuple[str, str]]:
        yield from (("ca_files", file) for file in self.ca_files.values())
        yield "ssh_key_file", self.ssh_key_file
        yield "ssh_known_hosts_file", self.ssh_known_hosts_file


@dataclass(frozen=True)
class Setting:
    """One line of `config-check`; a secret's value is masked already."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True)
class Config:
    data: Path
    server: Server
    database: Database
    forge: Forge
    git: Git
    rate: RateOptions
    worker: Worker
    sandbox: Sandbox
    firewall: Firewall
    webhooks: Webhooks
    triggers: Triggers
    agent: Agent
    models: Models
    checks: Checks
    limits: SessionLimits
    retention: Retention
    log: Log
    metrics: Metrics
    providers: tuple[Provider, ...]
    acp: tuple[Acp, ...]
    origins: Mapping[str, str] = field(repr=False, compare=False)
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Where the service's own requests go through, as curl's variables say: `http_proxy`,
    `https_proxy`, `all_proxy`, `no_proxy`."""
    traces: bool = False
    """Whether OpenTelemetry's own variables (OTEL_…) ask for traces."""

    @property
    def public_url(self) -> str:
        """Without a slash at the end."""
        host = "127.0.0.1" if self.server.host in ("0.0.0.0", "::") else self.server.host  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host
        return self.server.public_url.rstrip("/") or f"http://{host}:{self.server.port}"

    def settings(self) -> list[Setting]:
        """In the order of the documentation."""
        values: dict[str, Any] = {"data": str(self.data)}
        parts = [(name, getattr(self, name)) for name in SECTIONS]
        parts += [(f"providers.{one.name}", one) for one in self.providers]
        parts += [(f"acp.{one.name}", one) for one in self.acp]
        for name, part in parts:
            for item in fields(part):
                values[f"{name}.{item.name}"] = _shown(item, getattr(part, item.name))
        return [
            Setting(key, value, self.origins.get(key, "default"))
            for key, value in values.items()
            if not re.fullmatch(r"(providers|acp)\.[^.]+\.name", key)
        ]


@dataclass(frozen=True)
class Client:
    """What the commands that talk to a server need."""

    url: str = "http://127.0.0.1:8080"
    token: str | None = field(default=None, repr=False)


SECTIONS: dict[str, type] = {
    "server": Server,
    "database": Database,
    "forge": Forge,
    "git": Git,
    "rate": RateOptions,
    "worker": Worker,
    "sandbox": Sandbox,
    "firewall": Firewall,
    "webhooks": Webhooks,
    "triggers": Triggers,
    "agent": Agent,
    "models": Models,
    "checks": Checks,
    "limits": SessionLimits,
    "retention": Retention,
    "log": Log,
    "metrics": Metrics,
}


def _shown(item: Field[Any], value: Any) -> Any:
    """What a repr leaves out is a secret; of an address only the password is."""
    if item.name == "url" and isinstance(value, str):
        bare = re.sub(r"(://[^:/@]*):.*@", rf"\1:{MASK}@", value)
        return re.sub(r"(password=)[^&]*", rf"\1{MASK}", bare)
    if not item.repr:
        return dict.fromkeys(value, MASK) if isinstance(value, dict) else value and MASK
    return list(value) if isinstance(value, tuple) else value
