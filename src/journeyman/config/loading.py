"""From files, the environment and flags to settings; nothing else reads the environment.

Knows nothing of what the settings are used for.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, get_type_hints

import msgspec

from journeyman.config import forges
from journeyman.config.limits import Figures
from journeyman.config.sections import (
    ADDRESS,
    MASK,
    SECTIONS,
    Client,
    Config,
    Firewall,
    Names,
    Pairs,
    Provider,
    Sandbox,
    Size,
)
from journeyman.domain.errors import AppError, Code, FieldError
from journeyman.sandbox.firewall import addresses
from journeyman.sandbox.firewall.rules import Rules

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
_SECRETS = ("database.url", "metrics.token")
_PREFIX = "JOURNEYMAN_"
_OTLP = "OTEL_EXPORTER_OTLP_"


class _Found(NamedTuple):
    value: Any
    origin: str
    text: bool
    """From the environment, where everything is a string."""


_Layer = dict[str, _Found]


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
        key: _Found(value, "command line", text=False)
        for key, value in (flags or {}).items()
        if value is not None
    }
    from_env = _read_environment(environ)
    named = file or environ.get(f"{_PREFIX}CONFIG")
    explicit = Path(named).expanduser() if named else None
    from_file = _read_file(explicit) if explicit else {}
    data = given.get("data") or from_env.get("data") or from_file.get("data")
    data = data or _Found(_default_data(environ), "default", text=False)
    directory = (
        Path(_convert("data", data._replace(value=str(data.value)), str)).expanduser().absolute()
    )
    if not explicit and (directory / "journeyman.toml").is_file():
        from_file = _read_file(directory / "journeyman.toml")
        if "data" in from_file:
            raise _wrong(
                "data", f"{directory}/journeyman.toml is in the data directory; it cannot move it."
            )
    ambient = {
        key: found
        for key, found in (_openai(environ) | _usual(environ)).items()
        if not any(other.startswith(key.rpartition(".")[0] + ".") for other in from_file)
    }
    merged = ambient | from_file | from_env | given | {"data": data}
    if "database.url" not in merged:
        merged["database.url"] = _Found(
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
    kept = _toml(file) if file.is_file() else {}
    for key in kept:
        _known(key, _CLIENT_KEYS, str(file))
    token = (
        token
        or environ.get(f"{_PREFIX}TOKEN")
        or _secret_file(environ.get(f"{_PREFIX}TOKEN_FILE"))
        or kept.get("token")
        or _secret_file(kept.get("token_file"))
    )
    url = url or environ.get(f"{_PREFIX}URL") or kept.get("url") or Client.url
    if not ADDRESS.match(url):
        raise _wrong("url", f"{url!r} is not an address of a server; it looks like {Client.url}.")
    return Client(url=url.rstrip("/"), token=token or None)


def client_file(environ: Mapping[str, str] | None = None) -> Path:
    environ = os.environ if environ is None else environ
    base = Path(environ.get("XDG_CONFIG_HOME") or Path(environ.get("HOME", "/")) / ".config")
    return base / "journeyman" / "client.toml"


def bare_environment() -> dict[str, str]:
    """The environment without what configures a server or a client: for a throw-away one."""
    return {
        key: value for key, value in os.environ.items() if not key.startswith((_PREFIX, *_AMBIENT))
    }


# --- Reading -------------------------------------------------------------------------------------


def _read_environment(environ: Mapping[str, str]) -> _Layer:
    variables = {_variable(key): key for key in ("data", *_keys())}
    others = {f"{_PREFIX}{name}" for name in ("CONFIG", "URL", "TOKEN", "TOKEN_FILE")}
    secret_files = {f"{_variable(key)}_FILE": key for key in _SECRETS}
    layer: _Layer = {}
    for name in sorted(environ):
        if not name.startswith(_PREFIX) or name in others:
            continue
        _known(name, (*variables, *secret_files, *others), "the environment")
        if name in secret_files:
            layer[secret_files[name]] = _Found(_secret_file(environ[name]), name, text=True)
        elif environ[name]:
            layer[variables[name]] = _Found(environ[name], name, text=True)
    return layer


def _read_file(path: Path) -> _Layer:
    origin = str(path)
    layer: _Layer = {}
    for name, value in _toml(path).items():
        _known(name, ("data", "providers", *SECTIONS), origin)
        if name == "data":
            layer["data"] = _Found(value, origin, text=False)
        elif name == "forge" and isinstance(value, str):
            layer["forge.url"] = _Found(value, origin, text=False)
        elif name == "providers":
            layer |= _read_providers(_table(value, name, origin), origin)
        else:
            for key, item in _table(value, name, origin).items():
                _known(f"{name}.{key}", _keys(), origin)
                layer[f"{name}.{key}"] = _Found(item, origin, text=False)
    return layer


def _read_providers(tables: Mapping[str, Any], origin: str) -> _Layer:
    layer: _Layer = {}
    for name, table in tables.items():
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name) or name in ("auto", "script"):
            reason = "use small letters, digits, - and _, and neither auto nor script."
            raise _wrong(name, f"{name!r} in {origin} cannot name a provider: {reason}")
        for key, value in _table(table, f"providers.{name}", origin).items():
            _known(
                f"providers.{name}.{key}",
                [f"providers.{name}.{known}" for known in _PROVIDER_KEYS],
                origin,
            )
            layer[f"providers.{name}.{key}"] = _Found(value, origin, text=False)
    return layer


def _openai(environ: Mapping[str, str]) -> _Layer:
    """A provider without any file, from the variables that every OpenAI client reads."""
    key = environ.get("OPENAI_API_KEY") or _secret_file(environ.get("OPENAI_API_KEY_FILE"))
    if not key:
        return {}
    url, model = environ.get("OPENAI_BASE_URL"), environ.get("OPENAI_MODEL")
    if url and not model:
        raise _wrong(
            "OPENAI_MODEL",
            f"OPENAI_BASE_URL is {url!r}; say in OPENAI_MODEL which of its models to use.",
        )
    name = "providers.openai."
    return {
        f"{name}kind": _Found("openai-compatible", "OPENAI_API_KEY", text=False),
        f"{name}base_url": _Found(
            url or OPENAI_URL, "OPENAI_BASE_URL" if url else "default", text=False
        ),
        f"{name}models": _Found(
            model or OPENAI_MODEL, "OPENAI_MODEL" if model else "default", text=True
        ),
        f"{name}api_key": _Found(key, "OPENAI_API_KEY", text=True),
    }


def _usual(environ: Mapping[str, str]) -> _Layer:
    """Providers without any file, from the variables that their own clients read."""
    layer: _Layer = {}
    for kind, (variables, model, default) in _USUAL.items():
        variable = next((name for name in variables if environ.get(name)), None)
        models = environ.get(model) or default
        if variable is None or not models:
            continue
        layer[f"providers.{kind}.kind"] = _Found(kind, variable, text=False)
        layer[f"providers.{kind}.models"] = _Found(
            models, model if environ.get(model) else "default", text=True
        )
        layer[f"providers.{kind}.api_key"] = _Found(environ[variable], variable, text=True)
        if kind == "bedrock" and environ.get("AWS_REGION"):
            layer["providers.bedrock.region"] = _Found(
                environ["AWS_REGION"], "AWS_REGION", text=True
            )
    return layer


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as exc:
        raise _wrong("config", f"cannot read {path}: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise _wrong("config", f"{path} is not valid TOML: {exc}") from exc


def _secret_file(path: str | None) -> str | None:
    if not path:
        return None
    try:
        return Path(path).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise _wrong(
            "secret", f"cannot read the secret in {path}: {getattr(exc, 'strerror', exc)}"
        ) from exc


# --- Putting together ----------------------------------------------------------------------------


def _assemble(data: Path, merged: _Layer, environ: Mapping[str, str]) -> Config:
    origins = {key: found.origin for key, found in merged.items()}
    parts: dict[str, Any] = {}
    for section, kind in SECTIONS.items():
        types = get_type_hints(kind, include_extras=True)
        values = {
            item.name: _convert(key, merged[key], types[item.name])
            for item in fields(kind)
            if (key := f"{section}.{item.name}") in merged
        }
        parts[section] = kind(**values)
    providers = _providers(merged, environ, origins)
    _check_preference("preference", parts["models"].preference, providers)
    if (review := parts["models"].review) not in ("", "auto"):
        _check_preference("review", (review,), providers)
    _check_database(parts["database"].url)
    parts["forge"] = forges.resolved(parts["forge"])
    _check_sandbox(parts["sandbox"])
    _check_firewall(parts["firewall"])
    for section in ("firewall", "webhooks"):
        _check_networks(section, parts[section].allowed_networks)
    traces = _wants_traces(environ)
    return Config(data=data, providers=providers, origins=origins, traces=traces, **parts)


def _providers(
    merged: _Layer, environ: Mapping[str, str], origins: dict[str, str]
) -> tuple[Provider, ...]:
    names = dict.fromkeys(key.split(".")[1] for key in merged if key.startswith("providers."))
    return tuple(_provider(name, merged, environ, origins) for name in names)


def _provider(
    name: str, merged: _Layer, environ: Mapping[str, str], origins: dict[str, str]
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
        raise _wrong(
            f"{prefix}{missing[0]}",
            f"{prefix}{missing[0]} is missing; a provider needs {', '.join(needed)}.",
        )
    types = get_type_hints(Provider, include_extras=True)
    values = {
        key: _convert(f"{prefix}{key}", found[key], types[key])
        for key in _PROVIDER_VALUES
        if key in found
    }
    if not values["models"]:
        raise _wrong(f"{prefix}models", f"{prefix}models is empty; name at least one model.")
    secret, origin = _api_key(prefix, found, environ)
    origins[f"{prefix}api_key"] = origin
    return Provider(name=name, api_key=secret, **values)


def _api_key(prefix: str, found: _Layer, environ: Mapping[str, str]) -> tuple[str | None, str]:
    given = [key for key in ("api_key", "api_key_file", "api_key_env") if key in found]
    if len(given) > 1:
        raise _wrong(f"{prefix}{given[1]}", f"{prefix}{given[0]} and {given[1]}: keep one of them.")
    if not given:
        return None, "default"
    key, origin = given[0], found[given[0]].origin
    value = _convert(f"{prefix}{key}", found[key], str)
    if key == "api_key_env":
        if not environ.get(value):
            raise _wrong(f"{prefix}{key}", f"{prefix}{key} names {value!r}, which is not set.")
        return environ[value], f"{origin}, variable {value}"
    if key == "api_key_file":
        return _secret_file(value), f"{origin}, file {value}"
    return value, origin


def _check_preference(key: str, preference: Names, providers: Sequence[Provider]) -> None:
    ids = [f"{provider.name}:{model}" for provider in providers for model in provider.models]
    known = [*ids, *(model for provider in providers for model in provider.models), "script"]
    for name in preference:
        if name not in known:
            raise _wrong(
                f"models.{key}",
                f"models.{key} names {name!r}, which no provider has{_nearest(name, known)}",
            )


def _check_database(url: str) -> None:
    if not url.startswith(("sqlite:///", "postgresql://")):
        scheme = url.partition(":")[0]
        message = f"database.url begins with {scheme!r}; use sqlite:///PATH or postgresql://…"
        raise _wrong("database.url", message)


def _check_sandbox(sandbox: Sandbox) -> None:
    contained = [
        name for name in ("image", "images", "socket", "runtime") if getattr(sandbox, name)
    ]
    if sandbox.backend == "bubblewrap" and contained:
        message = (
            f"sandbox.{contained[0]} is for containers; set sandbox.backend to docker or podman."
        )
        raise _wrong(f"sandbox.{contained[0]}", message)
    for name in sandbox.images:
        if not re.fullmatch(r"[^/\s]+/[^/\s]+", name):
            raise _wrong("sandbox.images", f"sandbox.images: {name!r} is not OWNER/NAME.")


def _check_firewall(firewall: Firewall) -> None:
    for name in ("allow", "setup_allow", "mcp_allow"):
        try:
            Rules(getattr(firewall, name))
        except ValueError as error:
            raise _wrong(f"firewall.{name}", f"firewall.{name}: {error}.") from None


def _check_networks(section: str, networks: Names) -> None:
    try:
        addresses.ranges(networks)
    except ValueError as error:
        key = f"{section}.allowed_networks"
        raise _wrong(key, f"{key}: {error}; a range looks like 10.1.0.0/16.") from None


def _wants_traces(environ: Mapping[str, str]) -> bool:
    """By the standard variables: when a collector is named, and nothing switches it off."""
    named = environ.get(f"{_OTLP}TRACES_ENDPOINT") or environ.get(f"{_OTLP}ENDPOINT")
    off = environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
    exporter = environ.get("OTEL_TRACES_EXPORTER") or "otlp"
    if not named or off or exporter == "none":
        return False
    if exporter != "otlp":
        raise _wrong("OTEL_TRACES_EXPORTER", f"OTEL_TRACES_EXPORTER is {exporter!r}; use otlp.")
    for name in (f"{_OTLP}TRACES_PROTOCOL", f"{_OTLP}PROTOCOL"):
        if environ.get(name, "http/protobuf") != "http/protobuf":
            raise _wrong(name, f"{name} is {environ[name]!r}; only http/protobuf is spoken.")
    return True


def _convert(key: str, found: _Found, kind: Any) -> Any:
    value = found.value
    if kind == Size and isinstance(value, str):
        value = _bytes(value)
    elif kind == Names and isinstance(value, str) and found.text:
        value = [part.strip() for part in value.split(",") if part.strip()]
    elif kind == Pairs and isinstance(value, str) and found.text:
        value = _pairs(key, value)
    try:
        if kind == Figures and found.text:
            value = msgspec.json.decode(value)
        return msgspec.convert(value, kind, strict=not found.text)
    except msgspec.DecodeError as exc:
        shown = MASK if _is_secret(key) else repr(found.value)
        raise _wrong(key, f"{key} = {shown} (from {found.origin}) is wrong: {exc}") from None


def _pairs(key: str, text: str) -> dict[str, str]:
    found = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, equals, value = map(str.strip, part.partition("="))
        if not (name and equals and value):
            raise _wrong(key, f"{key}: {part!r} is not NAME=VALUE.")
        found[name] = value
    return found


def _bytes(text: str) -> int | str:
    """As it came when it is not a size: the conversion then says so."""
    match = re.fullmatch(r"(\d+)\s*([KMGT]?)(?:iB|B)?", text.strip())
    return int(match[1]) << (10 * " KMGT".index(match[2] or " ")) if match else text


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
        raise _wrong(name, f"{name} in {origin} is a table: write [{name}] above its keys.")
    return value


def _known(name: str, known: Sequence[str], origin: str) -> None:
    if name not in known:
        raise _wrong(name, f"unknown setting {name!r} in {origin}{_nearest(name, known)}")


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there is: {', '.join(sorted(known))}."


def _wrong(key: str, message: str) -> AppError:
    return AppError(Code.INVALID, message, (FieldError(key, "invalid", message),))


def _is_secret(key: str) -> bool:
    return key.rsplit(".", 1)[-1] in ("api_key", "token") or key in _SECRETS
