"""What phrases mean together: which concepts near each other are a sign of which kind of attack, and how strong a one.

Kinds follow published taxonomies: OWASP LLM01 (2025); Shen et al., "Do Anything Now" (2024); Greshake et al., "Not
what you've signed up for" (2023); Wei et al., "Jailbroken" (2023); Kang et al., "Exploiting programmatic behavior"
(2023); Anil et al., "Many-shot jailbreaking" (2024); Invariant Labs on tool poisoning and HiddenLayer on policy
puppetry (2025).
A weak sign is no finding; weak signs of one window add up.
"""

from typing import Final

from msgspec import Struct

SENTENCE: Final = 40  # characters between two phrases of one sentence
PASSAGE: Final = 250  # of one passage


class Signal(Struct, frozen=True):
    """One sign. With `second`, both concepts stand within `gap` characters, in one sentence unless `across`.

    `user` and `foreign` are how strong it is in the user's words and in those of tools, documents and descriptions;
    of a sign that may stand `times` times, every different phrase counts. Both concepts stand `least` times or more.
    """

    family: str
    first: str
    second: str | None = None
    gap: int = SENTENCE
    user: float = 0.0
    foreign: float = 0.0
    across: bool = False
    times: int = 1
    least: int = 1


OVERRIDE: Final = (
    Signal("override", "override", "own_rules", user=0.72, foreign=0.85),
    Signal("override", "override", "some_rules", gap=25, user=0.35, foreign=0.38),
    Signal("override", "override", "rules", gap=20, user=0.12, foreign=0.15),
    Signal("override", "override", "secret", user=0.6, foreign=0.65),
    Signal("override", "undo", "own_rules", gap=25, user=0.5, foreign=0.6),
    Signal("override", "undo", "some_rules", gap=20, user=0.15, foreign=0.15),
    Signal("override", "own_rules", "mine", gap=120, across=True, user=0.3, foreign=0.35),
    Signal("override", "override", "mine", gap=110, user=0.25, foreign=0.25),
    Signal("override", "override", "leak", gap=80, across=True, user=0.12, foreign=0.15),
    Signal("override", "override", "safeguard", gap=20, user=0.5, foreign=0.5),
    Signal("override", "undo", "safeguard", gap=15, user=0.4, foreign=0.4),
    Signal("override", "override", "parrot", gap=80, across=True, user=0.12, foreign=0.2),
    Signal("override", "own_rules", "parrot", gap=80, across=True, user=0.2, foreign=0.25),
    Signal("override", "own_rules", "void", user=0.55, foreign=0.7),
)
JAILBREAK: Final = (
    Signal("persona", "become", "unbound", gap=PASSAGE, across=True, user=0.45, foreign=0.6),
    Signal("persona", "become", "persona", user=0.5, foreign=0.5),
    Signal("persona", "become", "mode", gap=80, user=0.5, foreign=0.55),
    Signal("persona", "become", "ai", gap=60, user=0.12, foreign=0.2),
    Signal("persona", "become", "comply", gap=PASSAGE, across=True, user=0.35, foreign=0.4),
    Signal("persona", "become", user=0.06, foreign=0.08, times=3),
    Signal("persona", "persona", user=0.15, foreign=0.15, times=3),
    Signal("persona", "answers", user=0.15, foreign=0.15, times=3),
    Signal("unrestricted", "unbound", user=0.15, foreign=0.12, times=4),
    Signal("unrestricted", "vendor", user=0.1, foreign=0.08, times=3),
    Signal("unrestricted", "unbound", "comply", gap=PASSAGE, across=True, user=0.3, foreign=0.3),
    Signal("unrestricted", "ai", "unbound", gap=80, user=0.25, foreign=0.25),
    Signal("unrestricted", "hypothetical", "unbound", gap=PASSAGE, across=True, user=0.3, foreign=0.2),
    Signal("mode", "enable", "mode", gap=25, user=0.5, foreign=0.55),
    Signal("mode", "mode", user=0.15, foreign=0.15),
    Signal("mode", "enable", "service_mode", gap=25, user=0.25, foreign=0.25),
    Signal("mode", "service_mode", "unbound", gap=PASSAGE, across=True, user=0.4, foreign=0.35),
    Signal("mode", "service_mode", "comply", gap=PASSAGE, across=True, user=0.35, foreign=0.3),
    Signal("mode", "service_mode", "own_secret", gap=80, across=True, user=0.4, foreign=0.35),
    Signal("mode", "service_mode", "own_rules", gap=80, across=True, user=0.35, foreign=0.35),
    Signal("mode", "become", "service_mode", gap=25, user=0.4, foreign=0.4),
    Signal("mode", "mode", "unbound", gap=PASSAGE, across=True, user=0.4, foreign=0.4),
    Signal("refusal_suppression", "comply", user=0.18, foreign=0.12, times=4),
    Signal("prefix", "opening", user=0.3, foreign=0.3, times=2),
    Signal("prefix", "opening", "unbound", gap=80, across=True, user=0.35, foreign=0.35),
    Signal("prefix", "opening", "mode", gap=80, across=True, user=0.35, foreign=0.35),
    Signal("prefix", "opening", "comply", gap=PASSAGE, across=True, user=0.25, foreign=0.25),
    Signal("hijack", "pwned", user=0.55, foreign=0.55),
    Signal("authority", "authority", user=0.2, foreign=0.25),
    Signal("authority", "authority", "own_secret", gap=PASSAGE, across=True, user=0.3, foreign=0.3),
    Signal("hypothetical", "hypothetical", user=0.08, foreign=0.04, times=2),
    Signal("persona", "ai", user=0.03, foreign=0.05, times=2),
)
EXTRACTION: Final = (
    Signal("prompt_extraction", "leak", "own_secret", user=0.68, foreign=0.75),
    Signal("prompt_extraction", "show", "own_secret", gap=30, user=0.52, foreign=0.62),
    Signal("prompt_extraction", "leak", "secret", user=0.5, foreign=0.6),
    Signal("prompt_extraction", "show", "secret", gap=25, user=0.25, foreign=0.35),
    Signal("prompt_extraction", "leak", "bare_prompt", gap=14, user=0.25, foreign=0.2),
    Signal("prompt_extraction", "secret", "self_ref", gap=60, user=0.4, foreign=0.3),
    Signal("prompt_extraction", "own_secret", user=0.1, foreign=0.1),
)
INDIRECT: Final = (
    Signal("addressed", "address", user=0.3, foreign=0.45),
    Signal("addressed", "address", "task", gap=PASSAGE, across=True, user=0.35, foreign=0.45),
    Signal("addressed", "address", "send", gap=PASSAGE, across=True, user=0.3, foreign=0.35),
    Signal("addressed", "address", "act", gap=PASSAGE, across=True, user=0.3, foreign=0.35),
    Signal("addressed", "address", "parrot", gap=PASSAGE, across=True, user=0.25, foreign=0.35),
    Signal("addressed", "address", "data", gap=120, across=True, user=0.2, foreign=0.3),
    Signal("addressed", "address", "override", gap=PASSAGE, across=True, user=0.3, foreign=0.35),
    Signal("concealment", "conceal", user=0.2, foreign=0.35, times=2),
    Signal("concealment", "quiet", user=0.05, foreign=0.08, times=2),
    Signal("concealment", "quiet", "data", gap=100, user=0.05, foreign=0.1),
    Signal("concealment", "send", "conceal", gap=PASSAGE, across=True, user=0.15, foreign=0.35),
    Signal("concealment", "act", "conceal", gap=PASSAGE, across=True, user=0.15, foreign=0.3),
    Signal("new_task", "task", user=0.1, foreign=0.16, times=3),
    Signal("new_task", "task", "parrot", gap=120, across=True, user=0.2, foreign=0.3),
    Signal("new_task", "important", "parrot", gap=120, across=True, user=0.2, foreign=0.35),
    Signal("new_task", "task", "data", gap=150, across=True, user=0.12, foreign=0.25),
    Signal("new_task", "urge", user=0.03, foreign=0.05, times=3),
    Signal("new_task", "task", "task", gap=80, across=True, user=0.08, foreign=0.14),
    Signal("new_task", "task", "urge", gap=150, across=True, user=0.1, foreign=0.14),
    Signal("addressed", "addressed_by", user=0.04, foreign=0.1),
    Signal("addressed", "addressed_by", "urge", gap=PASSAGE, across=True, user=0.1, foreign=0.2),
    Signal("addressed", "address", "urge", gap=PASSAGE, across=True, user=0.2, foreign=0.3),
    Signal("important", "important", "urge", gap=PASSAGE, across=True, user=0.15, foreign=0.3),
    Signal("role_heading", "heading", "conceal", gap=PASSAGE, across=True, user=0.25, foreign=0.4),
    Signal("role_heading", "heading", "urge", gap=PASSAGE, across=True, user=0.15, foreign=0.2),
    Signal("new_task", "task", "send", gap=150, across=True, user=0.12, foreign=0.24),
    Signal("new_task", "task", "act", gap=150, across=True, user=0.1, foreign=0.2),
    Signal("theft", "send", "data", gap=60, user=0.1, foreign=0.25),
    Signal("theft", "send", "soft_data", gap=60, user=0.05, foreign=0.1),
    Signal("theft", "address", "soft_data", gap=PASSAGE, across=True, user=0.15, foreign=0.25),
    Signal("theft", "conceal", "soft_data", gap=PASSAGE, across=True, user=0.15, foreign=0.25),
    Signal("theft", "soft_data", "carry", gap=150, across=True, user=0.1, foreign=0.2),
    Signal("theft", "leak", "data", user=0.15, foreign=0.25),
    Signal("theft", "carry", user=0.1, foreign=0.2, times=3),
    Signal("theft", "carry", "data", gap=150, across=True, user=0.25, foreign=0.35),
    Signal("tool_poisoning", "before_tool", user=0.1, foreign=0.2, times=2),
    Signal("tool_poisoning", "tool_word", user=0.03, foreign=0.06, times=3),
    Signal("tool_poisoning", "tool_word", "data", gap=60, user=0.08, foreign=0.15),
    Signal("tool_poisoning", "tool_word", "conceal", gap=PASSAGE, across=True, user=0.15, foreign=0.25),
    Signal("tool_poisoning", "before_tool", "soft_data", gap=PASSAGE, across=True, user=0.12, foreign=0.2),
    Signal("concealment", "address", "quiet", gap=PASSAGE, across=True, user=0.15, foreign=0.25),
    Signal("concealment", "task", "quiet", gap=PASSAGE, across=True, user=0.1, foreign=0.15),
    Signal("tool_poisoning", "before_tool", "tool_word", gap=PASSAGE, across=True, user=0.12, foreign=0.25),
    Signal("tool_poisoning", "before_tool", "data", gap=PASSAGE, across=True, user=0.25, foreign=0.45),
    Signal("tool_poisoning", "before_tool", "conceal", gap=PASSAGE, across=True, user=0.3, foreign=0.45),
    Signal("important", "important", user=0.1, foreign=0.2),
    Signal("important", "important", "task", gap=PASSAGE, across=True, user=0.25, foreign=0.4),
    Signal("important", "important", "before_tool", gap=PASSAGE, across=True, user=0.25, foreign=0.35),
    Signal("important", "important", "override", gap=PASSAGE, across=True, user=0.25, foreign=0.35),
    Signal("hidden", "hidden", "task", gap=PASSAGE, across=True, user=0.15, foreign=0.3),
    Signal("hidden", "hidden", "ai", gap=100, across=True, user=0.12, foreign=0.2),
    Signal("hidden", "hidden", "override", gap=PASSAGE, across=True, user=0.2, foreign=0.3),
    Signal("hidden", "hidden", "address", gap=PASSAGE, across=True, user=0.3, foreign=0.4),
    Signal("hidden", "hidden", "own_rules", gap=PASSAGE, across=True, user=0.25, foreign=0.35),
    Signal("hidden", "hidden", "conceal", gap=PASSAGE, across=True, user=0.3, foreign=0.45),
)
FORGERY: Final = (
    Signal("role_token", "token", user=0.4, foreign=0.45, times=2),
    Signal("role_heading", "heading", user=0.2, foreign=0.25, times=2),
    Signal("role_heading", "heading", "override", gap=PASSAGE, across=True, user=0.35, foreign=0.4),
    Signal("role_heading", "heading", "become", gap=PASSAGE, across=True, user=0.25, foreign=0.35),
    Signal("role_heading", "heading", "task", gap=PASSAGE, across=True, user=0.3, foreign=0.4),
    Signal("role_heading", "heading", "unbound", gap=PASSAGE, across=True, user=0.4, foreign=0.4),
    Signal("many_shot", "human", "assistant", gap=600, across=True, user=0.3, foreign=0.35, least=4),
    Signal("many_shot", "assistant", "opening", gap=40, across=True, user=0.35, foreign=0.35, least=3),
    Signal("policy_puppetry", "config", user=0.4, foreign=0.38, times=4),
    Signal("policy_puppetry", "config", "comply", gap=PASSAGE, across=True, user=0.25, foreign=0.25),
    Signal("payload_splitting", "split", "follow", gap=PASSAGE, across=True, user=0.45, foreign=0.45),
    Signal("payload_splitting", "split", "comply", gap=PASSAGE, across=True, user=0.3, foreign=0.3),
    Signal("payload_splitting", "split", user=0.12, foreign=0.12, times=3),
    Signal("encoded_request", "decode", "follow", gap=120, across=True, user=0.55, foreign=0.6),
)
SIGNALS: Final = (*OVERRIDE, *JAILBREAK, *EXTRACTION, *INDIRECT, *FORGERY)
