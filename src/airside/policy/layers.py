"""Policies in layers: the platform's, a tenant's, an agent's, a token's. Lower layers only narrow what others allow.

Each layer must let the call pass. In the platform's layer nothing said is a denial; in the others it is no objection.
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from airside.core.call import Call
from airside.core.policy import Counter, Decision, Reason, Verdict
from airside.core.tool import Tool
from airside.policy.decision import RulePolicy
from airside.policy.loading import parse
from airside.policy.rules import Mode
from airside.policy.windows import Place

TENANT = "tenant"
AGENT = "agent"
CAVEAT = "token"
_STRICTNESS = (Verdict.ALLOW, Verdict.ASK, Verdict.DENY)
_Layers = Sequence[tuple[str, RulePolicy]]


class Layers(Struct, frozen=True):
    """The policies in force: one for the platform, and those of tenants and agents by name."""

    platform: RulePolicy
    tenants: Mapping[str, RulePolicy] = {}
    agents: Mapping[str, RulePolicy] = {}

    def named(self) -> Mapping[str, RulePolicy]:
        """Return all layers by their names: `platform`, `tenant acme`, `agent shop`."""
        tenants = {f"{TENANT} {name}": policy for name, policy in self.tenants.items()}
        agents = {f"{AGENT} {name}": policy for name, policy in self.agents.items()}
        return {"platform": self.platform} | tenants | agents


class LayeredPolicy:
    """Implements core.ports.Policy over layers. Never changes; another set of layers is another LayeredPolicy."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.version = _version(layers)

    def decide(self, call: Call, tool: Tool | None) -> Decision:
        """Return the strictest verdict of the layers that a call falls under, and the reasons of those that gave it."""
        platform = self.layers.platform.decide(call, tool)
        below = self._below(call)
        if not below:
            return platform
        decisions = [("", platform), *[(label, policy.decide(call, tool)) for label, policy in below]]
        verdict = max((decision.verdict for _, decision in decisions), key=_STRICTNESS.index)
        counters = [counter for _, decision in decisions for counter in decision.counters]
        return Decision(
            verdict,
            tuple([reason for label, decision in decisions for reason in _reasons(label, decision, verdict)]),
            " ".join([f"{label}:{decision.policy_version}".lstrip(":") for label, decision in decisions]),
            platform.links,
            () if verdict is Verdict.DENY else tuple(counters),
        )

    def counters(self, call: Call, tool: Tool) -> Sequence[Counter]:
        """Return the counters that a call would add to, in all layers that it falls under."""
        below = [counter for _, policy in self._below(call) for counter in policy.counters(call, tool)]
        return [*self.layers.platform.counters(call, tool), *below]

    def observed(self) -> Sequence[str]:
        """Return what is only observed: `platform`, or `platform rule NAME`."""
        found = []
        for name, policy in self.layers.named().items():
            if policy.rules.mode is Mode.OBSERVE:
                found.append(name)
            found += [f"{name} rule {rule.name}" for rule in policy.rules.rules if rule.mode is Mode.OBSERVE]
        return found

    def _below(self, call: Call) -> _Layers:
        tenant = self.layers.tenants.get(call.who.tenant_id)
        agent = self.layers.agents.get(call.who.agent)
        below = [(label, policy) for label, policy in ((TENANT, tenant), (AGENT, agent)) if policy is not None]
        return [*below, *[(CAVEAT, _caveat(text)) for text in call.who.caveats]]


@lru_cache(maxsize=1_024)
def _caveat(text: str) -> RulePolicy:
    """Return the policy that a token carries; it was checked when the token was made."""
    return parse(text, CAVEAT, Place(layer=CAVEAT))


def _reasons(label: str, decision: Decision, verdict: Verdict) -> Sequence[Reason]:
    """Return the reasons of a layer for the verdict of all, and what it only observed."""
    told = [r for r in decision.reasons if decision.verdict is verdict or r.verdict is not decision.verdict]
    return [replace(reason, rule=f"{label}:{reason.rule}") for reason in told] if label else told


def _version(layers: Layers) -> str:
    if not layers.tenants and not layers.agents:
        return layers.platform.version
    said = "\n".join([f"{name}={policy.version}" for name, policy in layers.named().items()])
    return "pol_" + hashlib.sha256(said.encode()).hexdigest()[:32]
