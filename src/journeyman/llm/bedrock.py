"""Amazon Bedrock's Converse format, for whatever models an account there has."""

from __future__ import annotations

from pydantic_ai.settings import ModelSettings

from journeyman.llm.provider import Connection, Hosted, Options

REGION = "us-east-1"
RETRY, RETRY_HANDLER = "needs-retry.bedrock-runtime", "retry-config-bedrock-runtime"


def converse(options: Options) -> Hosted:
    """Without a key it logs in as every AWS client does: environment, profile, role."""
    return Hosted(options, _converse)


def _converse(options: Options) -> Connection:
    from pydantic_ai.models.bedrock import BedrockConverseModel  # noqa: PLC0415 - slow; not always used
    from pydantic_ai.providers.bedrock import BedrockProvider  # noqa: PLC0415 - as above

    place, region = options.base_url, options.region or REGION
    silence = options.first_token_timeout_seconds
    if options.api_key:
        provider = BedrockProvider(
            api_key=options.api_key,
            base_url=place,
            region_name=region,
            aws_read_timeout=silence,
        )
    else:
        provider = BedrockProvider(base_url=place, region_name=region, aws_read_timeout=silence)

    # Whether to ask again is for the loop to decide; botocore would, four times.
    provider.client.meta.events.unregister(RETRY, unique_id=RETRY_HANDLER)

    async def close() -> None:
        provider.client.close()

    return Connection(
        lambda name: BedrockConverseModel(name, provider=provider),
        close,
        ModelSettings(cache=True),
        refused=frozenset({"timeout", "max_retries"}),  # the client has both
    )
