"""Keys of model providers and of what is built around models."""

from airside.guards.secrets.formats.form import Named, Token
from airside.guards.secrets.shape import mixed


def _other(value: str) -> bool:
    """Whether a key is not of those whose own form is stricter."""
    return not value.startswith(("sk-ant-", "sk-or-", "sk-lf-")) and mixed(value)


TOKENS = (
    Token(
        "openai_key",
        "OpenAI",
        ("sk-",),
        r"(?:(?:proj|svcacct|admin)-)?[A-Za-z0-9_-]{16,100}T3BlbkFJ[A-Za-z0-9_-]{16,100}",
        "platform.openai.com/docs/api-reference/authentication",
    ),
    # Several providers speak OpenAI's protocol and copy its prefix: DeepSeek, Moonshot, Stability, LiteLLM.
    Token("sk_key", "OpenAI-compatible", ("sk-",), r"[A-Za-z0-9_-]{32,170}", "api-docs.deepseek.com", _other),
    Token(
        "anthropic_key",
        "Anthropic",
        ("sk-ant-",),
        r"(?:api|admin|oat|ort|sid)[0-9]{2}-[A-Za-z0-9_-]{80,120}AA",
        "docs.anthropic.com/en/api/admin-api",
    ),
    Token("openrouter_key", "OpenRouter", ("sk-or-v1-",), "[0-9a-fA-F]{64}", "openrouter.ai/docs/api-reference"),
    Token(
        "huggingface_token", "Hugging Face", ("hf_",), "[A-Za-z0-9]{30,40}", "huggingface.co/docs/hub/security-tokens"
    ),
    Token("huggingface_org_token", "Hugging Face", ("api_org_",), "[A-Za-z]{34}", "huggingface.co/docs/hub"),
    Token("replicate_token", "Replicate", ("r8_",), "[A-Za-z0-9]{37}", "replicate.com/docs/reference/http"),
    Token("groq_key", "Groq", ("gsk_",), "[A-Za-z0-9]{52}", "console.groq.com/docs"),
    Token("xai_key", "xAI", ("xai-",), "[A-Za-z0-9]{70,90}", "docs.x.ai"),
    Token("perplexity_key", "Perplexity", ("pplx-",), "[A-Za-z0-9]{48}", "docs.perplexity.ai"),
    Token("fireworks_key", "Fireworks", ("fw_",), "[A-Za-z0-9]{22,28}", "docs.fireworks.ai", mixed),
    Token(
        "langsmith_key",
        "LangSmith",
        ("lsv2_",),
        "(?:pt|sk)_[0-9a-fA-F]{32}_[0-9a-fA-F]{10}",
        "docs.smith.langchain.com",
    ),
    Token(
        "langfuse_key",
        "Langfuse",
        ("sk-lf-",),
        "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
        "langfuse.com/docs",
    ),
    Token("elevenlabs_key", "ElevenLabs", ("sk_",), "[0-9a-fA-F]{48}", "elevenlabs.io/docs"),
    Token("pinecone_key", "Pinecone", ("pcsk_",), "[A-Za-z0-9]{4,8}_[A-Za-z0-9]{50,70}", "docs.pinecone.io"),
    Token("together_key", "Together", ("tgp_v1_",), "[A-Za-z0-9_-]{43}", "docs.together.ai"),
    Token("nvidia_key", "NVIDIA", ("nvapi-",), "[A-Za-z0-9_-]{60,70}", "docs.api.nvidia.com"),
    Token("anyscale_key", "Anyscale", ("esecret_",), "[A-Za-z0-9]{24,60}", "docs.anyscale.com", mixed),
    Token("cerebras_key", "Cerebras", ("csk-",), "[a-z0-9]{48}", "inference-docs.cerebras.ai"),
    Token("tavily_key", "Tavily", ("tvly-",), "(?:dev-|prod-)?[A-Za-z0-9]{32}", "docs.tavily.com"),
    Token("firecrawl_key", "Firecrawl", ("fc-",), "[0-9a-fA-F]{32}", "docs.firecrawl.dev"),
    Token("jina_key", "Jina", ("jina_",), "[0-9a-fA-F]{32}[A-Za-z0-9_-]{28,32}", "docs.jina.ai"),
    Token("voyage_key", "Voyage AI", ("pa-",), "[A-Za-z0-9_-]{43}", "docs.voyageai.com", mixed),
    Token("wandb_key", "Weights & Biases", ("wandb_v1_",), "[A-Za-z0-9_]{60,80}", "docs.wandb.ai"),
    Token("cursor_key", "Cursor", ("key_",), "[0-9a-fA-F]{64}", "docs.cursor.com"),
    Token("helicone_key", "Helicone", ("sk-helicone-",), "[a-z0-9]{7}(?:-[a-z0-9]{7}){3}", "docs.helicone.ai"),
    Token("e2b_key", "E2B", ("e2b_",), "[0-9a-fA-F]{40}", "e2b.dev/docs"),
    Token("browserbase_key", "Browserbase", ("bb_live_",), "[A-Za-z0-9_-]{27}", "docs.browserbase.com"),
    Token("baseten_key", "Baseten", ("basetenkey_",), "[A-Za-z0-9.]{30,60}", "docs.baseten.co"),
    Token("llamacloud_key", "LlamaCloud", ("llx-",), "[A-Za-z0-9]{48}", "docs.cloud.llamaindex.ai"),
    Token("friendli_token", "FriendliAI", ("flp_",), "[A-Za-z0-9]{46}", "docs.friendli.ai"),
    Token("prefect_key", "Prefect", ("pnu_", "pnb_"), "[A-Za-z0-9]{36}", "docs.prefect.io"),
    Token("airside_token", "airside", ("ak_", "rt_"), "[0-9a-hjkmnp-tv-z]{52}", "docs/security.md"),
)
NAMED = (
    Named("cohere_key", "Cohere", ("cohere", "co_api_key"), "[A-Za-z0-9]{40}", "docs.cohere.com"),
    Named("mistral_key", "Mistral", ("mistral",), "[A-Za-z0-9]{32}", "docs.mistral.ai"),
    Named("deepgram_key", "Deepgram", ("deepgram",), "[0-9a-fA-F]{40}", "developers.deepgram.com"),
    Named("assemblyai_key", "AssemblyAI", ("assemblyai", "assembly_ai"), "[0-9a-fA-F]{32}", "assemblyai.com/docs"),
    Named("wandb_legacy_key", "Weights & Biases", ("wandb",), "[0-9a-fA-F]{40}", "docs.wandb.ai"),
    Named("ai21_key", "AI21", ("ai21",), "[A-Za-z0-9]{32}", "docs.ai21.com"),
    Named("clarifai_key", "Clarifai", ("clarifai",), "[0-9a-fA-F]{32}", "docs.clarifai.com"),
    Named(
        "privateai_key", "Private AI", ("privateai", "private_ai", "private-ai"), "[a-z0-9]{32}", "docs.private-ai.com"
    ),
    Named(
        "exa_key", "Exa", ("exa_api", "exaapi"), "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "docs.exa.ai"
    ),
    Named(
        "deepl_key",
        "DeepL",
        ("deepl",),
        "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?::fx)?",
        "developers.deepl.com",
    ),
)
