"""From files, the environment and flags to settings; nothing else reads the environment.

Knows nothing of what the settings are used for.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from journeyman.config import forges, triggers
from journeyman.config.sections import (
    ADDRESS,
    SECTIONS,
    Acp,
    Client,
    Config,
    Firewall,
    Names,
    Provider,
    Sandbox,
)
from journeyman.config.values import (
    SECRETS,
    Found,
    Layer,
    convert,
    is_there,
    known,
    nearest,
    secret_file,
    wrong,
)
from journeyman.sandbox.firewall import addresses
from journeyman.sandbox.firewall.rules import Rules
from journeyman.sandbox.inside import is_free

OPENAI_URL = "https://api.openai.com/v1"
OPENAI_MODEL = "gpt-5.4"

_PROVIDER_VALUES = (
    "kind",
    "base_url",
    "models",
    "region",
    "window_tokens",
    "max_output_tokens",
    "images",
    "first_token_timeout_seconds",
    "total_timeout_seconds",
)
_PROVIDER_KEYS = (*_PROVIDER_VALUES, "api_key", "api_key_file", "api_key_env")
_ACP_KEYS = ("command", "env", "model", "mode", "permissions", "folders", "description")
_USUAL = {
    "anthropic": (
        ("ANTHROPIC_API_KEY",),
        "ANTHROPIC_MODEL",
        "claude-sonnet-4-6,claude-opus-4-6,claude-haiku-4-5",
    ),
    "google": (("GEMINI_API_KEY", "GOOGLE_API_KEY"), "GEMINI_MODEL", "gemini-2.5-pro"),
    "openrouter": (("OPENROUTER_API_KEY",), "OPENROUTER_MODEL", "anthropic/claude-sonnet-4.6"),
    "bedrock": (("AWS_BEARER_TOKEN_BEDROCK",), "BEDROCK_MODEL", ""),
}
"""By provider: the variables that its own clients read, and the models when none is named."""
_AMBIENT = ("OPENAI_", "ANTHROPIC_", "GEMINI_", "GOOGLE_API_KEY", "OPENROUTER_", "AWS_", "BEDROCK_")
_CLIENT_KEYS = ("url", "token", "token_file")
_PREFIX = "JOURNEYMAN_"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
_OTLP = "OTEL_EXPORTER_OTLP_"


def load(
    *,
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Defaults, then the file, the environment and *flags* (by dotted key; None is not given).

    Raises AppError that names what is unknown or wrong, and where it was written.
    """
    environ = os.environ if environ is None else environ
    given = {
        key: Found(value, "command line", text=False)
        for key, value in (flags or {}).items()
        if value is not None
    }
    from_env = _read_environment(environ)
    named = file or environ.get(f"{_PREFIX}CONFIG")
    explicit = Path(named).expanduser() if named else None
    from_file = _read_file(explicit) if explicit else {}
    data = given.get("data") or from_env.get("data") or from_file.get("data")
    data = data or Found(_default_data(environ), "default", text=False)
    directory = (
        Path(convert("data", data._replace(value=str(data.value)), str)).expanduser().absolute()
    )
    if not explicit and is_there(directory / "journeyman.toml"):
        from_file = _read_file(directory / "journeyman.toml")
        if "data" in from_file:
            raise wrong(
                "data", f"{directory}/journeyman.toml is in the data directory; it cannot move it."
            )
    ambient = {
        key: found
        for key, found in (_openai(environ) | _usual(environ)).items()
        if not any(other.startswith(key.rpartition(".")[0] + ".") for other in from_file)
    }
    merged = ambient | from_file | from_env | given | {"data": data}
    if "database.url" not in merged:
        merged["database.url"] = Found(
            f"sqlite:///{directory}/journeyman.db", "default", text=False
        )
    return _assemble(directory, merged, environ)


def load_client(
    *, url: str | None = None, token: str | None = None, environ: Mapping[str, str] | None = None
) -> Client:
    """Arguments, then JOURNEYMAN_URL and JOURNEYMAN_TOKEN, then client.toml."""
    environ = os.environ if environ is None else environ
    _read_environment(environ)
    file = client_file(environ)
    kept = _toml(file) if is_there(file) else {}
    for key in kept:
        known(key, _CLIENT_KEYS, str(file))
    token = (
        token
        or environ.get(f"{_PREFIX}TOKEN")
        or secret_file(environ.get(f"{_PREFIX}TOKEN_FILE"))
        or kept.get("token")
        or secret_file(kept.get("token_file"))
    )
    url = url or environ.get(f"{_PREFIX}URL") or kept.get("url") or Client.url
    if not _is_address(url):
        raise wrong("url", f"{url!r} is not an address of a server; it looks like {Client.url}.")
    token = str(token or "").strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise wrong("token", "the token has characters that none has; was it copied whole?")
    return Client(url=url.rstrip("/"), token=token or None)


def _is_address(url: str) -> bool:
    try:
        return bool(re.fullmatch(r"[!-~]+", url) and ADDRESS.match(url)) and (
            urlsplit(url).port != 0
        )
    except ValueError:
        return False


def client_file(environ: Mapping[str, str] | None = None) -> Path:
    environ = os.environ if environ is None else environ
    base = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    return base / "journeyman" / "client.toml"


def bare_environment() -> dict[str, str]:
    """The environment without what configures a server or a client, nor a proxy before either."""
    others = (_PREFIX, *_AMBIENT)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(others)}
    known = kept.get("no_proxy") or kept.get("NO_PROXY") or ""
    direct = known if known == "*" else f"{known},127.0.0.1".removeprefix(",")
    return {**kept, "no_proxy": direct, "NO_PROXY": direct}


# --- Reading -------------------------------------------------------------------------------------


def _read_environment(environ: Mapping[str, str]) -> Layer:
    variables = {_variable(key): key for key in ("data", *_keys())}
    others = {f"{_PREFIX}{name}" for name in ("CONFIG", "URL", "TOKEN", "TOKEN_FILE")}
    secret_files = {f"{_variable(key)}_FILE": key for key in SECRETS}
    layer: Layer = {}
    for name in sorted(environ):
        if not name.startswith(_PREFIX) or name in others:
            continue
        known(name, (*variables, *secret_files, *others), "the environment")
        if name in secret_files:
            layer[secret_files[name]] = Found(secret_file(environ[name]), name, text=True)
        elif environ[name]:
            layer[variables[name]] = Found(environ[name], name, text=True)
    return layer


def _read_file(path: Path) -> Layer:
    origin = str(path)
    layer: Layer = {}
    for name, value in _toml(path).items():
        known(name, ("data", "providers", "acp", *SECTIONS), origin)
        if name == "data":
            layer["data"] = Found(value, origin, text=False)
        elif name == "forge" and isinstance(value, str):
            layer["forge.url"] = Found(value, origin, text=False)
        elif name == "providers":
            layer |= _read_named(name, "a provider", _PROVIDER_KEYS, value, origin)
        elif name == "acp":
            layer |= _read_named(name, "an agent", _ACP_KEYS, value, origin)
        else:
            for key, item in _table(value, name, origin).items():
                known(f"{name}.{key}", _keys(), origin)
                layer[f"{name}.{key}"] = Found(item, origin, text=False)
    return layer


def _read_named(section: str, what: str, keys: Sequence[str], value: Any, origin: str) -> Layer:
    """Tables with names that the operator chooses: [section.NAME]."""
    layer: Layer = {}
    for name, table in _table(value, section, origin).items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) or name in ("auto", "script"):
            reason = "use small letters, digits, - and _, and neither auto nor script."
            raise wrong(name, f"{name!r} in {origin} cannot name {what}: {reason}")
        for key, item in _table(table, f"{section}.{name}", origin).items():
            known(
                f"{section}.{name}.{key}", [f"{section}.{name}.{known}" for known in keys], origin
            )
            layer[f"{section}.{name}.{key}"] = Found(item, origin, text=False)
    return layer


def _openai(environ: Mapping[str, str]) -> Layer:
    """A provider without any file, from the variables that every OpenAI client reads."""
    key = environ.get("OPENAI_API_KEY") or secret_file(environ.get("OPENAI_API_KEY_FILE"))
    if not key:
        return {}
    url, model = environ.get("OPENAI_BASE_URL"), environ.get("OPENAI_MODEL")
    if url and not model:
        raise wrong(
            "OPENAI_MODEL",
            f"OPENAI_BASE_URL is {url!r}; say in OPENAI_MODEL which of its models to use.",
        )
    name = "providers.openai."
    return {
        f"{name}kind": Found("openai-compatible", "OPENAI_API_KEY", text=False),
        f"{name}base_url": Found(
            url or OPENAI_URL, "OPENAI_BASE_URL" if url else "default", text=False
        ),
        f"{name}models": Found(
            model or OPENAI_MODEL, "OPENAI_MODEL" if model else "default", text=True
        ),
        f"{name}api_key": Found(key, "OPENAI_API_KEY", text=True),
    }


def _usual(environ: Mapping[str, str]) -> Layer:
    """Providers without any file, from the variables that their own clients read."""
    layer: Layer = {}
    for kind, (variables, model, default) in _USUAL.items():
        variable = next((name for name in variables if environ.get(name)), None)
        models = environ.get(model) or default
        if variable is None or not models:
            continue
        layer[f"providers.{kind}.kind"] = Found(kind, variable, text=False)
        layer[f"providers.{kind}.models"] = Found(
            models, model if environ.get(model) else "default", text=True
        )
        layer[f"providers.{kind}.api_key"] = Found(environ[variable], variable, text=True)
        if kind == "bedrock" and environ.get("AWS_REGION"):
            layer["providers.bedrock.region"] = Found(
                environ["AWS_REGION"], "AWS_REGION", text=True
            )
    return layer


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as exc:
        raise wrong("config", f"cannot read {path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise wrong("config", f"{path} is not valid TOML: {exc}") from exc


# --- Putting together ----------------------------------------------------------------------------


def _assemble(data: Path, merged: Layer, environ: Mapping[str, str]) -> Config:
    origins = {key: found.origin for key, found in merged.items()}
    parts: dict[str, Any] = {}
    for section, kind in SECTIONS.items():
        types = get_type_hints(kind, include_extras=True)
        values = {
            item.name: convert(key, merged[key], types[item.name])
            for item in fields(kind)
            if (key := f"{section}.{item.name}") in merged
        }
        parts[section] = kind(**values)
    providers = _providers(merged, environ, origins)
    _check_preference("preference", parts["models"].preference, providers)
    if (review := parts["models"].review) not in ("", "auto"):
        _check_preference("review", (review,), providers)
    acp = _agents(merged, providers)
    _check_database(parts["database"].url)
    parts["forge"] = forges.resolved(parts["forge"])
    triggers.check(parts["triggers"], parts["forge"])
    _check_sandbox(parts["sandbox"])
    _check_firewall(parts["firewall"])
    for section in ("firewall", "webhooks"):
        _check_networks(section, parts[section].allowed_networks)
    return Config(
        data=data,
        providers=providers,
        acp=acp,
        origins=origins,
        proxies=_proxies(environ),
        traces=_wants_traces(environ),
        **parts,
    )


def _proxies(environ: Mapping[str, str]) -> Mapping[str, str]:
    """By the names in small letters, which curl prefers."""
    found = {name: environ.get(name) or environ.get(name.upper(), "") for name in PROXIES}
    return {name: value for name, value in found.items() if value}


def _providers(
    merged: Layer, environ: Mapping[str, str], origins: dict[str, str]
) -> tuple[Provider, ...]:
    names = dict.fromkeys(key.split(".")[1] for key in merged if key.startswith("providers."))
    return tuple(_provider(name, merged, environ, origins) for name in names)


def _provider(
    name: str, merged: Layer, environ: Mapping[str, str], origins: dict[str, str]
) -> Provider:
    prefix = f"providers.{name}."
    found = {
        key.removeprefix(prefix): value for key, value in merged.items() if key.startswith(prefix)
    }
    needed = ["kind", "base_url", "models"]
    if "kind" in found and found["kind"].value not in ("openai-compatible", "recorded"):
        needed.remove("base_url")
    missing = [key for key in needed if key not in found]
    if missing:
        raise wrong(
            f"{prefix}{missing[0]}",
            f"{prefix}{missing[0]} is missing; a provider needs {', '.join(needed)}.",
        )
    types = get_type_hints(Provider, include_extras=True)
    values = {
        key: convert(f"{prefix}{key}", found[key], types[key])
        for key in _PROVIDER_VALUES
        if key in found
    }
    if not values["models"]:
        raise wrong(f"{prefix}models", f"{prefix}models is empty; name at least one model.")
    secret, origin = _api_key(prefix, found, environ)
    origins[f"{prefix}api_key"] = origin
    return Provider(name=name, api_key=secret, **values)


def _agents(merged: Layer, providers: Sequence[Provider]) -> tuple[Acp, ...]:
    names = dict.fromkeys(key.split(".")[1] for key in merged if key.startswith("acp."))
    return tuple(_agent(name, merged, providers) for name in names)


def _agent(name: str, merged: Layer, providers: Sequence[Provider]) -> Acp:
    types = get_type_hints(Acp, include_extras=True)
    values = {
        key: convert(full, merged[full], types[key])
        for key in _ACP_KEYS
        if (full := f"acp.{name}.{key}") in merged
    }
    if not values.get("command"):
        message = f'acp.{name}.command is missing: the program and its arguments, ["x", "acp"].'
        raise wrong(f"acp.{name}.command", message)
    made = Acp(name=name, **values)
    _check_folders(made)
    if made.model:
        served = [one for one in providers if one.kind not in ("bedrock", "recorded")]
        ids = [f"{one.name}:{model}" for one in served for model in one.models]
        if made.model not in ids:
            near = nearest(made.model, ids)
            message = f"acp.{name}.model is {made.model!r}, which no provider serves{near}"
            raise wrong(f"acp.{name}.model", message)
    elif unfilled := [key for key, value in made.env.items() if "{url}" in value]:
        message = f"acp.{name}.env.{unfilled[0]} has {{url}}; say in acp.{name}.model whose."
        raise wrong(f"acp.{name}.env", message)
    return made


def _check_folders(agent: Acp) -> None:
    for name in agent.folders:
        folder, key = Path(name), f"acp.{agent.name}.folders"
        if not folder.is_absolute() or not folder.exists():
            raise wrong(key, f"{key}: {name!r} is not a whole path of what is there.")
        if not is_free(folder):
            message = f"{key}: a sandbox has its own {name!r}; put the program below /opt or /srv."
            raise wrong(key, message)


def _api_key(prefix: str, found: Layer, environ: Mapping[str, str]) -> tuple[str | None, str]:
    given = [key for key in ("api_key", "api_key_file", "api_key_env") if key in found]
    if len(given) > 1:
        raise wrong(f"{prefix}{given[1]}", f"{prefix}{given[0]} and {given[1]}: keep one of them.")
    if not given:
        return None, "default"
    key, origin = given[0], found[given[0]].origin
    value = convert(f"{prefix}{key}", found[key], str)
    if key == "api_key_env":
        if not environ.get(value):
            raise wrong(f"{prefix}{key}", f"{prefix}{key} names {value!r}, which is not set.")
        return environ[value], f"{origin}, variable {value}"
    if key == "api_key_file":
        return secret_file(value), f"{origin}, file {value}"
    return value, origin


def _check_preference(key: str, preference: Names, providers: Sequence[Provider]) -> None:
    ids = [f"{provider.name}:{model}" for provider in providers for model in provider.models]
    known = [*ids, *(model for provider in providers for model in provider.models), "script"]
    for name in preference:
        if name not in known:
            raise wrong(
                f"models.{key}",
                f"models.{key} names {name!r}, which no provider has{nearest(name, known)}",
            )


def _check_database(url: str) -> None:
    if not url.startswith(("sqlite:///", "postgresql://")):
        scheme = url.partition(":")[0]
        message = f"database.url begins with {scheme!r}; use sqlite:///PATH or postgresql://…"
        raise wrong("database.url", message)


def _check_sandbox(sandbox: Sandbox) -> None:
    contained = [
        name for name in ("image", "images", "socket", "runtime") if getattr(sandbox, name)
    ]
    if sandbox.backend == "bubblewrap" and contained:
        message = (
            f"sandbox.{contained[0]} is for containers; set sandbox.backend to docker or podman."
        )
        raise wrong(f"sandbox.{contained[0]}", message)
    for name in sandbox.images:
        if not re.fullmatch(r"[^/\s]+/[^/\s]+", name):
            raise wrong("sandbox.images", f"sandbox.images: {name!r} is not OWNER/NAME.")


def _check_firewall(firewall: Firewall) -> None:
    for name in ("allow", "setup_allow", "mcp_allow"):
        try:
            Rules(getattr(firewall, name))
        except ValueError as error:
            raise wrong(f"firewall.{name}", f"firewall.{name}: {error}.") from None


def _check_networks(section: str, networks: Names) -> None:
    try:
        addresses.ranges(networks)
    except ValueError as error:
        key = f"{section}.allowed_networks"
        raise wrong(key, f"{key}: {error}; a range looks like 10.1.0.0/16.") from None


def _wants_traces(environ: Mapping[str, str]) -> bool:
    """By the standard variables: when a collector is named, and nothing switches it off."""
    named = environ.get(f"{_OTLP}TRACES_ENDPOINT") or environ.get(f"{_OTLP}ENDPOINT")
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    exporter = environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if not named or off or exporter == "none":
        return False
    if exporter != "otlp":
        raise wrong("OTEL_TRACES_EXPORTER", f"OTEL_TRACES_EXPORTER is {exporter!r}; use otlp.")
    for name in (f"{_OTLP}TRACES_PROTOCOL", f"{_OTLP}PROTOCOL"):
        if environ.get(name, "http/protobuf") != "http/protobuf":
            raise wrong(name, f"{name} is {environ[name]!r}; only http/protobuf is spoken.")
    return True


# --- Words ---------------------------------------------------------------------------------------


def _keys() -> list[str]:
    return [f"{section}.{item.name}" for section, kind in SECTIONS.items() for item in fields(kind)]


def _variable(key: str) -> str:
    return _PREFIX + key.upper().replace(".", "_")


def _default_data(environ: Mapping[str, str]) -> Path:
    return (
        Path(environ.get("XDG_DATA_HOME") or Path(environ.get("HOME", "/")) / ".local" / "share")
        / "journeyman"
    )


def _table(value: Any, name: str, origin: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise wrong(name, f"{name} in {origin} is a table: write [{name}] above its keys.")
    return value
