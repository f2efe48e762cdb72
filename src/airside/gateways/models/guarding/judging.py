"""A judge's question to a provider's model: an aside of the run whose text is judged, reserved and journaled."""

from airside.core.call import Call, CallKind, Effect
from airside.core.run import Identity
from airside.gateways.models.asides import Asides
from airside.gateways.models.message import Message, OutputFormat, Prompt, Sampling, Text
from airside.gateways.models.routing.verify import text_of

PURPOSE = "judge injection"
OUTPUT_TOKENS = 64


class AsideModel:
    """Asks one model of a provider."""

    def __init__(self, asides: Asides, model: str, *, timeout_s: float) -> None:
        self._asides = asides
        self._model = model
        self._timeout_s = timeout_s

    async def __call__(self, who: Identity, system: str, text: str) -> str:
        """Return what the model says; raises as `Asides.ask`."""
        prompt = Prompt(
            messages=(Message("system", (Text(system),)), Message("user", (Text(text),))),
            output=OutputFormat("json_object"),
            sampling=Sampling(temperature=0.0),
            output_tokens_max=OUTPUT_TOKENS,
        )
        return text_of(await self._asides.ask(self._call(who), prompt, model=self._model, purpose=PURPOSE))

    def _call(self, who: Identity) -> Call:
        """Return what the aside is made beside: any text of a run, on its way to a model or from a tool."""
        return Call(
            call_id="",
            kind=CallKind.MODEL,
            name=self._model,
            token="",
            parts=(),
            effect=Effect.READ,
            idempotent=True,
            timeout_s=self._timeout_s,
            identity=who,
        )
