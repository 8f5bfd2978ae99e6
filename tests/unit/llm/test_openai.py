"""What the OpenAI-compatible provider does beside the contract: its cost, its secrets, its end."""

from __future__ import annotations

import subprocess
import sys

from openai.resources.chat.completions import completions
from pydantic_ai.messages import ModelRequest, UserPromptPart

from journeyman.llm.openai import chat
from journeyman.llm.provider import Options
from tests.peers.model_server import ModelServer


def test_the_sdk_is_not_imported_before_it_is_needed() -> None:
    program = (
        "import sys; from journeyman.llm.openai import chat\n"
        "from journeyman.llm.provider import Options\n"
        "chat(Options(models=('a',))).model('a')\n"
        "sys.exit('openai' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_the_slow_walk_over_every_message_is_off() -> None:
    async with ModelServer() as server:
        provider = chat(Options(base_url=server.base_url, models=("m",)))
        request = ModelRequest(parts=[UserPromptPart("Hi")])
        await provider.model("m").reply([request], [], on_delta=lambda delta: None)
        await provider.aclose()

    data = {"messages": [object()]}
    transform = vars(completions)["async_maybe_transform"]
    assert await transform(data, dict) == data, "must not look inside"


async def test_a_provider_can_be_used_again_after_it_was_closed() -> None:
    async with ModelServer() as server:
        provider = chat(Options(base_url=server.base_url, models=("m",)))
        request = ModelRequest(parts=[UserPromptPart("Hi")])
        for _ in range(2):
            answer = await provider.model("m").reply([request], [], on_delta=lambda delta: None)
            assert answer.message.text == "All done."
            await provider.aclose()
        await provider.aclose()


async def test_a_limit_on_the_reply_is_sent() -> None:
    async with ModelServer() as server:
        options = Options(base_url=server.base_url, models=("m",), max_output_tokens=77)
        provider = chat(options)
        request = ModelRequest(parts=[UserPromptPart("Hi")])
        await provider.model("m").reply([request], [], on_delta=lambda delta: None)
        await provider.aclose()

    sent = server.requests[0]
    assert 77 in (sent.get("max_tokens"), sent.get("max_completion_tokens"))


def test_the_key_never_shows() -> None:
    assert "sk-secret" not in repr(Options(api_key="sk-secret"))
