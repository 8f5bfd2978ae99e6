"""Every setting, where it came from, and the only place that reads the environment.

Knows nothing of what the settings are used for: it hands a frozen Config or Client to a command.
"""

from journeyman.config.loading import (
    OPENAI_MODEL,
    OPENAI_URL,
    bare_environment,
    client_file,
    load,
    load_client,
)
from journeyman.config.sections import (
    MASK,
    Client,
    Config,
    Database,
    Firewall,
    Log,
    Metrics,
    Models,
    Provider,
    Sandbox,
    Server,
    Setting,
    Worker,
)

__all__ = [
    "MASK",
    "OPENAI_MODEL",
    "OPENAI_URL",
    "Client",
    "Config",
    "Database",
    "Firewall",
    "Log",
    "Metrics",
    "Models",
    "Provider",
    "Sandbox",
    "Server",
    "Setting",
    "Worker",
    "bare_environment",
    "client_file",
    "load",
    "load_client",
]
