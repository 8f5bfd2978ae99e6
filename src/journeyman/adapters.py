"""From settings to the implementations of forge, models, sandbox and webhooks that they ask for.

With `app`, which wires them, the only file that names any.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from journeyman.administering import git_credentials
from journeyman.agent.acp import External
from journeyman.config import Config
from journeyman.config.sections import Provider as ProviderSection
from journeyman.domain.repositories import Repository
from journeyman.forge import Forge
from journeyman.forge.credential import Way
from journeyman.forge.embedded.distant import DistantForge
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.forge.embedded.records import Records
from journeyman.llm.gateway import Gateway
from journeyman.llm.kinds import KINDS
from journeyman.llm.provider import Options
from journeyman.llm.registry import Provider
from journeyman.sandbox import Network, Outside, Provision, SandboxBackend, bubblewrap
from journeyman.sandbox.caches import Caches
from journeyman.sandbox.caches import Options as CacheOptions
from journeyman.sandbox.firewall import addresses, dial
from journeyman.sandbox.firewall.outside import Ways
from journeyman.sandbox.provisions import Options as ProvisionOptions
from journeyman.sandbox.provisions import Provisions, Wishes
from journeyman.service.configurations import Configurations
from journeyman.webhooks.sender import HttpSender


@asynccontextmanager
async def forge(config: Config, embedded: EmbeddedForge) -> AsyncIterator[Forge]:
    """The one that is configured, with its connections until the context ends."""
    chosen = config.forge
    if chosen.kind == "embedded":
        yield embedded
        return
    # An embedded forge needs none of these.
    from journeyman.forge import rest  # noqa: PLC0415
    from journeyman.forge.gitea.forge import GiteaForge  # noqa: PLC0415
    from journeyman.forge.github.forge import GitHubForge  # noqa: PLC0415
    from journeyman.forge.github.sign_in import App  # noqa: PLC0415

    way = Way(chosen.ca_file, config.proxies)
    async with rest.client(chosen.ca_file) as client:
        if chosen.kind == "gitea":
            yield GiteaForge(client, chosen.url, way=way)
            return
        app = App(chosen.client_id, chosen.client_secret) if chosen.client_id else None
        yield GitHubForge(client, chosen.url, way=way, app=app)


def embedded(config: Config, records: Records, server_url: str) -> EmbeddedForge:
    """*server_url*: where the server is whose data directory this process does not share."""
    root = config.data / "repositories"
    if server_url:
        return DistantForge(records, root, server_url)
    return EmbeddedForge(records, root, credentials=git_credentials(config))


def sandboxes(config: Config) -> SandboxBackend:
    sandbox = config.sandbox
    if sandbox.backend == "bubblewrap":
        return bubblewrap.Bubblewrap(
            bubblewrap.Options(uid=sandbox.uid, gid=sandbox.uid, system=sandbox.system)
        )
    # Most servers need none of it, and its client is slow to import.
    from journeyman.sandbox.container import backend  # noqa: PLC0415

    return backend.Containers(
        backend.Options(
            engine=sandbox.backend,
            socket=sandbox.socket,
            image=sandbox.image,
            runtime=sandbox.runtime,
            uid=sandbox.uid,
            gid=sandbox.uid,
        )
    )


def caches(config: Config, backend: SandboxBackend) -> Caches:
    sandbox = config.sandbox
    options = CacheOptions(sandbox.caches, sandbox.disk)
    return Caches(config.data / "caches", options, remove=backend.remove)


def provisions(config: Config) -> Provisions:
    firewall = config.firewall
    return Provisions(
        ProvisionOptions(
            enabled=firewall.enabled,
            recommended=firewall.recommended,
            allow=firewall.allow,
            setup_allow=firewall.setup_allow,
            mcp_allow=firewall.mcp_allow,
            allowed_networks=firewall.allowed_networks,
            repositories=firewall.repositories,
        )
    )


def outside() -> Callable[[Network], Outside]:
    """What the service itself may reach for a session."""
    resolver = dial.Resolver()
    return lambda network: Ways(network, resolver)


def provision(
    config: Config, configurations: Configurations, caches: Caches
) -> Callable[[Repository], Awaitable[Provision]]:
    """What the sessions of a repository are given on this host."""
    provided = provisions(config)
    images = {name.lower(): image for name, image in config.sandbox.images.items()}

    async def given_to(repository: Repository) -> Provision:
        said = await configurations.of_repository(repository)
        wishes = Wishes(
            enabled=said.is_firewall_enabled,
            recommended=said.is_firewall_recommended_allowlist_enabled,
            entries=said.custom_allowlist,
        )
        image = images.get(repository.full_name.lower(), "")
        given = replace(await provided.provision(wishes), image=image)
        return await caches.given(repository.id, given)

    return given_to


def sender(config: Config) -> HttpSender:
    allowed = addresses.ranges(config.webhooks.allowed_networks)
    return HttpSender(
        dial.Resolver(),
        lambda address: addresses.refusal(address, allowed),
        ca_file=config.webhooks.ca_file,
    )


def providers(config: Config) -> list[Provider]:
    return [KINDS[provider.kind](_options(provider)) for provider in config.providers]


def _options(provider: ProviderSection) -> Options:
    compatible = provider.kind == "openai-compatible"
    return Options(
        name=provider.name,
        base_url=provider.base_url,
        api_key=provider.api_key,
        models=provider.models,
        region=provider.region,
        window_tokens=provider.window_tokens,
        max_output_tokens=provider.max_output_tokens,
        images=not compatible if provider.images is None else provider.images,
        first_token_timeout_seconds=provider.first_token_timeout_seconds,
        total_timeout_seconds=provider.total_timeout_seconds,
    )


def endpoint(config: Config, model_id: str) -> Gateway:
    name, _, model = model_id.partition(":")
    provider = next((one for one in config.providers if one.name == name), None)
    if provider is None:
        raise ValueError(f"{model_id} has no provider")
    return Gateway(provider.kind, _options(provider), model)


def externals(config: Config) -> dict[str, External]:
    return {
        one.name: External(
            one.name,
            one.command,
            one.env,
            model=one.model,
            mode=one.mode,
            permissions=one.permissions,
            folders=tuple(map(Path, one.folders)),
            description=one.description,
        )
        for one in config.acp
    }
