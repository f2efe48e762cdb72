"""The OpenAI face of `tests/fake_providers`, under the name that tests of the chat format import."""

from tests.fake_providers import KEY, FakeProvider, Fault, Message, serving, text, tool_calls
from tests.fake_providers.openai_chat import chunks_of, true_usage

__all__ = ["KEY", "FakeProvider", "Fault", "Message", "chunks_of", "serving", "text", "tool_calls", "true_usage"]
