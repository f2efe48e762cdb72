"""Phrasings of one question that are brought to one form before questions are compared; all on lower-case text."""

import re

_PERIODS = (("hour", "hourly"), ("day", "daily"), ("week", "weekly"), ("month", "monthly"), ("year", "yearly"))

PHRASES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"\b(?:{pattern})(?!\w)"), replacement)
    for pattern, replacement in (
        (r"(?:could|can|would|will) you (?:please )?(?:tell|explain|show|describe)(?: to)?(?: me)?", "explain"),
        (r"(?:i would|i want|i wish|i need) (?:like )?to know", "explain"),
        (r"do you (?:happen to )?know", "explain"),
        (r"do you think(?: that)?", " "),
        (r"(?:please )?tell me(?: about)?|please explain|explain to me", "explain"),
        (r"explain (?=(?:what|how|why|when|where|who|which)\b)", " "),
        (r"what (?:is|are) the (?:way|ways|steps?|procedure|process|command|setting) (?:to|for|of)", "how do i"),
        (r"what are ways to", "how do i"),
        (r"what (?:do|can|must|should) i (?:(?:need|have) to )?do to|what (?:do )?i need to do to", "how do i"),
        (r"how (?:do|should|would|can) i go about", "how do i"),
        (r"in what way", "how"),
        (r"how (?:does one|can one|do you|can you|do we|can we|can i|could i|should i)", "how do i"),
        (r"what (?:is|was) the reason(?: that| why| for)?|for what reason|what makes", "why is"),
        (r"(?:at |by )?what time(?! of)|by when|at what hour", "when"),
        (r"in (?:which|what) cases?", "when"),
        (r"what (?:kind|type|sort) of", "what"),
        (r"what is meant by|what is the meaning of|what (?:exactly )?is the definition of", "what is"),
        (r"what exactly", "what"),
        (r"what (?:do|does|did) (.{2,120}?) (?:mean|stand for)\b", r"what is \1"),
        (r"what (is|was) (.{2,120}?) like\b", r"how \1 \2"),
        (r"how long (do|does|did|will) (.{2,120}?) take\b", r"how long \1 \2"),
        (r"into", "to"),
        (r"onto", "on"),
        (r"while", "during"),
        (r"is it (?:possible|okay|ok|all right|fine)(?: for me)? to", "can i"),
        (r"(?:am i|are we) (?:allowed|able|permitted) to", "can i"),
        (r"is it necessary(?: for me)? to", "must i"),
        (r"(?:do|would|will) i (?:have|need) to", "must i"),
        (r"am i supposed to|is it a good idea to|should one", "should i"),
        (r"how expensive (?:is|are)|what is the price (?:of|for)", "how much cost"),
        (r"what (?:does|do|will) (?=.{2,60}? cost\b)", "how much "),
        (r"what (?:number|amount) of", "how many"),
        (r"free of charge|without charge|at no cost|without paying", "free"),
        (r"prior to|ahead of", "before"),
        (r"(?:go(?:es|ing)?|went) up", "rise"),
        (r"(?:go(?:es|ing)?|went) down", "fall"),
        (r"(?:turn|turned|turning|switch|switched|switching) on", "enable"),
        (r"(?:turn|turned|turning|switch|switched|switching) off", "disable"),
        (r"(?:get|getting) rid of", "remove"),
        (r"(check|sign)(?:s|ed|ing)? ?(in|out|up)(?:to)?", r"\1\2"),
        (r"log(?:s|ged)? ?(in|out|on|off)(?:to)?", r"log\1"),
        (r"(?:get|go) out of", "exit"),
        (r"(?:get|getting|keep) in touch with", "contact"),
        (r"(?:speak|talk) (?:to|with)", "contact"),
        (r"look (?:at|up)", "see"),
        (r"free shipping", "shipping free"),
        (r"in stock", "available"),
        (r"as well as", "and"),
        (r"close to|next to", "near"),
        *((rf"(?:per|a|each|every) {period}|{adverb}", adverb) for period, adverb in _PERIODS),
        (r"right now|at the moment|at present|currently|nowadays", " "),
        (r"customer service", "customer support"),
        (r"promo(?:tion(?:al)?)? codes?|discount codes?|coupon codes?|vouchers?", "discountcode"),
        (r"2 ?fa", "two factor authentication"),
        (r"united states|u\.s\.a?\.?", "usa"),
        (r"united kingdom", "uk"),
        (r"high blood pressure", "hypertension"),
        (r"degrees? (?:celsius|centigrade|c)|°\s?c", "celsius"),
        (r"degrees? (?:fahrenheit|f)|°\s?f", "fahrenheit"),
        (r"air travel", "fly"),
        (r"(?:one line|a line) at a time", "line by line"),
        (r"that is|i\.e\.|e\.g\.", " "),
    )
)
"""Different phrasings of one question word or verb, in the order in which they are applied to lower-case text."""

CONTRACTIONS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bcan't\b|\bcannot\b", "can not"),
        (r"\bwon't\b", "will not"),
        (r"\bshan't\b", "shall not"),
        (r"n't\b", " not"),
        (r"\b(what|where|when|who|how|why|that|there|it|he|she)'s\b", r"\1 is"),
        (r"\blet's\b", "let us"),
        (r"'re\b", " are"),
        (r"'ve\b", " have"),
        (r"'ll\b", " will"),
        (r"\bi'm\b", "i am"),
        (r"'d\b", " would"),
        (r"'s\b|s'(?=\s|$)", " "),
    )
)

COURTESY = re.compile(
    r"^(?:(?:hi|hello|hey|dear|good (?:morning|afternoon|evening))(?: there| team| all| assistant)?\b[\s,!.]*"
    r"|(?:please|kindly|(?:quick )?question|i have a question|(?:i was |just )+wondering|thanks|thank you)"
    r"\b[\s,:.!]*)+"
    r"|[\s,]*\b(?:please|(?:many )?thanks(?: in advance)?|thank you(?: very much)?|cheers)\b[\s,.!]*(?=[?.!\s]*$)"
    r"|(?:can|could|would) you (?:please )?(?:help me|assist me)(?: with this| out)?[\s,:?.!]*"
)
"""Greetings, thanks and pleas at either end of a question."""
