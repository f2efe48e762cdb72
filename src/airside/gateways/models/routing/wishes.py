"""What the caller, the model's name and the agent's settings say about routing: whether, and among which models."""

from collections.abc import Mapping

from msgspec import Struct

from airside.config.routing import MODES, RoutingSettings
from airside.core.call import Call
from airside.core.errors import Code
from airside.pipeline.refusal import Refusal

WISH = "route"
VIRTUAL: Mapping[str, str] = {
    "auto": "auto",
    **{f"airside/{mode}": mode for mode in ("auto", "small", "balanced", "frontier")},
}
"""Model names that stand for no model but for routing."""


class Wish(Struct, frozen=True):
    """How a call is to be routed: `off`, `auto`, a tier, or `model` with the model's name; and who said so."""

    mode: str
    said_by: str
    model: str = ""


def wish_of(call: Call, asked_model: str, settings: RoutingSettings) -> Wish:
    """Return how a call is to be routed. The caller's header beats the model's name, which beats the agent's setting.

    Raises `invalid_request` for the wish `off` together with a model name that only routing understands.
    """
    virtual = VIRTUAL.get(asked_model, "") if settings.models else ""
    if wished := call.wishes.get(WISH, "").strip():
        if wished == "off" and virtual:
            raise Refusal(call, Code.INVALID_REQUEST, f"{asked_model!r} is no model: it asks for a route, which is off")
        mode = VIRTUAL.get(wished, wished)
        if mode in MODES:  # also by its virtual name, which is no model: behind it a model stands that nobody asked for
            return Wish(mode, f"the header x-airside-{WISH}")
        return Wish("model", f"the header x-airside-{WISH}", wished)
    if virtual:
        return Wish(virtual, f"the model name {asked_model}")
    return Wish(settings.agents.get(call.who.agent, "off"), "the agent's setting")


def stand_ins(settings: RoutingSettings) -> dict[str, str]:
    """Return for each virtual name the model whose route a call has until it is routed: one of the highest tier."""
    order = ("frontier", "balanced", "small", "specialised")
    models = sorted(settings.models, key=lambda name: order.index(settings.models[name].tier))
    return dict.fromkeys(VIRTUAL, models[0]) if models else {}


def domains_of(text: str, wished: str, settings: RoutingSettings) -> frozenset[str]:
    """Return the domains that a prompt belongs to: two of a domain's words, or one of two words or more, or a wish."""
    lowered = text[:4_000].lower()
    found = {wished} & settings.domains.keys()
    for name, words in settings.domains.items():
        hits = [word for word in words if word.lower() in lowered]
        if len(hits) >= 2 or any(" " in word for word in hits):
            found.add(name)
    return frozenset(found)


def strongest_configured(settings: RoutingSettings) -> str:
    """Return the model that is trusted with everything, or nothing if none is configured."""
    return next(iter(stand_ins(settings).values()), "")


def ranked(settings: RoutingSettings) -> list[str]:
    """Return the configured models that anybody's prompt may go to, the weakest tier first."""
    order = ("small", "balanced", "frontier")
    return sorted(
        (name for name, model in settings.models.items() if model.tier in order),
        key=lambda name: order.index(settings.models[name].tier),
    )
