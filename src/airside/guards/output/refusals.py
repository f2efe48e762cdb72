"""Answers in which the model declines: told from their first words, in ten languages. Pure and linear.

A refusal is no harm; many of them are a sign that something broke, or that somebody is trying.
"""

from typing import Final

from airside.guards.finding import Finding, Guard
from airside.guards.patterns import Pattern, PatternSet

_START_CHARS: Final = 400
_ANSWER_CHARS_MAX: Final = 2_500
"""Longer answers help with something, whatever they begin with."""

_APART: Final = r"[^.!?\n。！？]{0,60}"
_SPOKEN: Final = (
    (
        "en",
        (
            "i can",
            "i'm",
            "i’m",
            "i am",
            "i must",
            "i won",
            "i will",
            "unable",
            "as an ai",
            "i cannot",
            "i do not",
            "i don",
        ),
        r"\b(?:i(?:'|’)?m (?:really |very |so |truly )?sorry,? (?:but |i )"
        + _APART
        + r"(?:can(?:'|’|no)?t|cannot|unable|not able)"
        r"|i (?:really |simply |just )?(?:can(?:'|’)?t|cannot|can not|won(?:'|’)?t|will not|must decline to"
        r"|am unable to|am not able to)"
        r" (?:help|assist|comply|provide|do that|do this|fulfil|fulfill|support|engage|participate|create"
        r"|generate|answer|share|offer|discuss|write|give|continue)"
        r"|i(?:'|’)?m (?:unable|not able|not comfortable|not going) to"
        r"|i (?:must|have to) (?:respectfully )?(?:decline|refuse)"
        r"|as an ai(?: language)? model,? i (?:can(?:'|’|no)?t|cannot|do not|don(?:'|’)?t)"
        r"|(?:that(?:'|’)?s|this is) (?:not )?something i (?:can(?:'|’|no)?t|cannot|can help))",
    ),
    (
        "de",
        ("ich kann", "kann ich", "ich darf", "leider", "ich werde"),
        r"(?:(?:tut mir (?:sehr )?leid|leider|entschuldigung)"
        + _APART
        + r"\b(?:kann|darf|werde)\b"
        + _APART
        + r"\b(?:nicht|keine?n?)\b"
        r"|\bich (?:kann|darf|werde) (?:ihnen |dir |euch )?(?:dabei|damit|hierbei|das"
        r"|diese \w+)?\s?(?:leider )?nicht\b)",
    ),
    (
        "fr",
        ("je ne", "désolé", "desole", "je suis"),
        r"(?:(?:je suis )?d[ée]sol[ée]e?,?" + _APART + r"\b(?:ne peux pas|ne suis pas en mesure)"
        r"|\bje ne (?:peux|puis) (?:malheureusement )?pas (?:vous |t(?:'|’)|te )?(?:aider|r[ée]pondre|fournir"
        r"|faire|cr[ée]er|donner|satisfaire)"
        r"|\bje ne suis pas en mesure de)",
    ),
    (
        "es",
        ("lo siento", "no puedo", "no me es", "no estoy"),
        r"(?:lo siento,?"
        + _APART
        + r"\bno (?:puedo|me es posible)|\bno puedo (?:ayudar|proporcionar|cumplir|hacer|responder|crear|asistir)"
        r"|\bno me es posible|\bno estoy (?:en condiciones|autorizad[oa]))",
    ),
    (
        "it",
        ("non posso", "mi dispiace", "non sono in grado"),
        r"(?:mi dispiace,?"
        + _APART
        + r"\bnon (?:posso|sono in grado)|\bnon posso (?:aiutar|fornir|rispondere|soddisfare|creare|assister|far)"
        r"|\bnon sono in grado di)",
    ),
    (
        "pt",
        ("não posso", "nao posso", "desculpe", "lamento", "sinto muito", "não consigo"),
        r"(?:(?:desculpe|lamento|sinto muito),?" + _APART + r"\bn[ãa]o (?:posso|consigo)"
        r"|\bn[ãa]o (?:posso|consigo) (?:te |lhe )?(?:ajudar|fornecer|responder|criar|fazer|atender))",
    ),
    (
        "ja",
        ("できません", "お手伝い", "お答え", "いたしかね", "申し訳"),
        r"(?:申し訳(?:ありません|ございません)[^。]{0,60}(?:できません|いたしかねます|かねます)|お(?:手伝い|答え|応え)(?:することは)?(?:できません|できかねます|いたしかねます))",
    ),
    (
        "zh",
        ("抱歉", "对不起", "對不起", "无法", "無法", "不能"),
        r"(?:(?:抱歉|对不起|對不起)[^。]{0,40}(?:不能|无法|無法|没办法)|我(?:不能|无法|無法)(?:为您|为你|協助|协助|帮助|幫助|提供|回答|满足|完成))",
    ),
    (
        "ru",
        ("не могу", "извините", "к сожалению", "простите"),
        r"(?:(?:извините|простите|к сожалению),?"
        + _APART
        + r"не (?:могу|в состоянии)|\bя не могу (?:вам |тебе )?(?:помочь|предоставить|выполнить|ответить"
        r"|создать|сделать))",
    ),
    (
        "ar",
        ("لا أستطيع", "لا يمكنني", "عذر", "آسف", "أعتذر"),
        r"(?:(?:عذر[اً]+|آسف|أعتذر)[^.؟!]{0,60}(?:لا (?:أستطيع|يمكنني)|لن أتمكن)|لا (?:أستطيع|يمكنني) (?:مساعدت"
        r"|تقديم|الإجابة|تنفيذ|القيام|المساعدة))",
    ),
)
_PATTERNS: Final = PatternSet(
    [
        Pattern(
            rule=f"declined.{name}", expression="(?i)" + expression, keywords=tuple(word.casefold() for word in words)
        )
        for name, words, expression in _SPOKEN
    ]
)


def declined(text: str) -> list[Finding]:
    """Return where an answer declines to answer; at most once."""
    if len(text) > _ANSWER_CHARS_MAX:
        return []
    for match in _PATTERNS.find(text[:_START_CHARS]):
        return [_of(match.pattern.rule, match.start, match.end, 0.8)]
    return []


def refused(text: str) -> Finding:
    """Return the finding of a text that the model's own protocol marks as its refusal."""
    return _of("refused", 0, len(text), 1.0)


def _of(rule: str, start: int, end: int, score: float) -> Finding:
    return Finding(guard=Guard.REFUSAL, rule=rule, kind=rule.partition(".")[0], start=start, end=end, score=score)
