"""Strict fakes of model providers: they check requests as the real ones would, and fail on demand.

    provider = FakeProvider()
    async with serving_all(provider) as places:      # or serving(provider), the base URL of the OpenAI face alone
        ...                                          # places.openai, .anthropic, .gemini, .azure, .bedrock, ...

One server speaks every dialect: OpenAI Chat, Responses and embeddings (`/v1/...`), Azure OpenAI (`/openai/...`),
Mistral (`/mistral/v1/...`), Anthropic (`/v1/messages`), Gemini (`/v1beta/models/...`), Bedrock (`/model/...`, signed
requests, AWS event streams) and Vertex (`/v1/projects/...`, tokens at `/token`). The key is `KEY` for all of them;
Bedrock also takes `sigv4.ACCESS_KEY` with `SECRET_KEY`, Vertex only tokens for `vertex.service_account(root)`.

What the model says is one script for all: `provider.reply = lambda body: text("hi")`, or
`tool_calls(("name", {...}), thinking="...")`, in the form of OpenAI's chat message (see `script`). `provider.cached`
and `.written` set cache tokens. What was asked: `provider.requests` (bodies), `.raw_requests`, `.seen` (with path and
headers), `.refusals` (why it said no). What goes wrong: `provider.faults.append(Fault(...))`, one for each request to
come, None for a good answer.

By itself: `python -m tests.fake_providers --port 9000`.
"""

from tests.fake_providers.fault import BAD_UTF8, LONG_LINE, Fault
from tests.fake_providers.provider import FakeProvider, Places, serving, serving_all
from tests.fake_providers.script import KEY, Message, text, tool_calls

__all__ = [
    "BAD_UTF8",
    "KEY",
    "LONG_LINE",
    "FakeProvider",
    "Fault",
    "Message",
    "Places",
    "serving",
    "serving_all",
    "text",
    "tool_calls",
]
