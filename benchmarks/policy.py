"""Policy: how long a decision takes with 200 rules in a run of 200 calls, and how long `policy check` takes for them.

A decision is everything between a call that fits its schema and the verdict: the ledger is asked where each argument
comes from, sums are named, rules are weighed. The rules use every condition; no two are about the same tools only.
"""

import time
from statistics import median, quantiles

from msgspec.structs import replace

from airside.core.call import Call, CallKind, Effect
from airside.core.money import ZERO
from airside.core.policy import Facts, Verdict
from airside.core.run import Identity
from airside.core.tool import ArgumentRole, FieldLabel, Tool
from airside.policy import RulePolicy, parse
from airside.policy.analysis.findings import ERRORS, Names, check
from airside.policy.plans.facts import told
from airside.policy.provenance.ledger import Ledger, Made
from benchmarks.figures import figure, option

RULES = option("rules", 200)
CALLS = option("calls", 200)
RUNS = option("runs", 10)
NOW_US = 1_767_614_400_000_000
GROUPS = 20
PAY = Tool(
    name="pay_0",
    description="",
    schema={},
    effect=Effect.WRITE,
    amount_argument="amount_usd",
    declared=True,
    roles={"to": ArgumentRole.RECIPIENT, "amount_usd": ArgumentRole.AMOUNT, "note": ArgumentRole.CONTENT},
)
ORDERS = Tool(
    name="find_orders",
    description="",
    schema={},
    effect=Effect.READ,
    declared=True,
    roles={"customer": ArgumentRole.QUERY},
    results={"orders.*.iban": FieldLabel(trusted=True)},
)
TOOLS = [replace(PAY, name=f"pay_{group}") for group in range(GROUPS)]


def rules(number: int) -> str:
    """Return a policy of that many rules, of which about half may speak on any call of a payment."""
    lines = ["time_zone: Europe/Berlin", "rules:"]
    for n in range(number):
        then = ("allow", "ask", "deny")[n % 3]
        limit = "at_most" if then == "allow" else "above"
        tools = f'["pay_{n % GROUPS}", "other_{n}_*"]' if n % 2 else '["pay_*", "send_*"]'
        parts = [f"name: r{n}", f"then: {then}", f"tools: {tools}", "effects: [write]"]
        parts.append(f"amount: {{{limit}: {100 + n}}}" if n % 3 == 0 else f"amount: {{{limit}: {5_000 + n}}}")
        if n % 4 == 0:
            parts.append(f"origins: {{critical: {'vouched' if then == 'allow' else 'not_vouched'}}}")
        if n % 5 == 0:
            parts.append(f'arguments: {{to: {{matches: ["DE*", "*{n}"], length_max: 34}}, note: {{length_max: 5000}}}}')
        if n % 10 == 0:
            parts.append(f"sum: {{per: day, {limit}: {100_000 + n}}}")
        if n % 7 == 0:
            parts.append('time: {hours: "00:00-23:59", days: [mon, tue, wed, thu, fri, sat, sun]}')
        lines.append("  - {" + ", ".join(parts) + "}")
    lines.append("never:")
    lines += [f"  - {{name: n{n}, tools: pay_{n}, amount: {{above: 9999}}}}" for n in range(10)]
    return "\n".join(lines)


def decisions(policy: RulePolicy) -> tuple[list[float], list[float]]:
    """Return the seconds of every decision of the runs: by the clock, and of computation."""
    walls, cpus = [], []
    for run in range(RUNS):
        ledger = Ledger()
        ledger.add_prompt(f"Pay the open orders of customer C-{run}, each to the account in our books, not over $90.")
        for number in range(CALLS):
            call, tool, result = _call(run, number)
            wall, cpu = time.perf_counter(), time.thread_time()
            facts = told(Facts(at_us=NOW_US + number), ledger, tool, call.arguments).facts
            call = replace(call, facts=facts)
            moved = {counter.name: ZERO for counter in policy.counters(call, tool)}
            decision = policy.decide(replace(call, facts=replace(facts, moved=moved)), tool)
            cpus.append(time.thread_time() - cpu)
            walls.append(time.perf_counter() - wall)
            assert decision.verdict is not Verdict.DENY or tool is not ORDERS, decision
            ledger.add(Made(call_id=call.call_id, name=tool.name, tool=tool, arguments=call.arguments, result=result))
    return walls, cpus


def _call(run: int, number: int) -> tuple[Call, Tool, object]:
    if number % 2 == 0:
        orders = [
            {
                "order": f"A-{run}-{number}-{n}",
                "iban": f"DE{run:02}{number:05}{n:011}",
                "usd": 20 + n,
                "note": "late " * 40,
            }
            for n in range(20)
        ]
        return _made(ORDERS, {"customer": f"C-{run}"}, number), ORDERS, {"orders": orders}
    tool = TOOLS[number % GROUPS]
    arguments = {"to": f"DE{run:02}{number - 1:05}{3:011}", "amount_usd": 23, "note": "your order " * 20}
    return _made(tool, arguments, number), tool, {"paid": True, "receipt": f"R-{run}-{number}"}


def _made(tool: Tool, arguments: dict[str, object], number: int) -> Call:
    return Call(
        call_id=f"call_{number}",
        kind=CallKind.TOOL,
        name=tool.name,
        token="",
        parts=(),
        effect=tool.effect,
        idempotent=False,
        timeout_s=30.0,
        identity=Identity("default", "run", 1, "shop", "rel", "sub", (), True, 0),
        arguments=arguments,
    )


def main() -> None:
    """Print the figures."""
    text = rules(RULES) + "\n"
    policy = parse(text.replace("rules:\n", "rules:\n  - {name: reads, then: allow, effects: [read]}\n"))
    walls, cpus = decisions(policy)
    more = {"rules": RULES, "calls_of_a_run": CALLS, "decisions": len(walls)}
    figure("policy.decision_ms_p50", median(walls) * 1e3, "ms", **more)
    figure("policy.decision_cpu_ms_p99", quantiles(cpus, n=100)[98] * 1e3, "ms", **more)
    begun, cpu = time.perf_counter(), time.process_time()
    found = check(policy, Names({tool.name: tool for tool in [*TOOLS, ORDERS]}))
    taken, computed = time.perf_counter() - begun, time.process_time() - cpu
    undone = sum(finding.kind in ERRORS for finding in found)
    figure("policy.check_cpu_s", computed, "s", rules=RULES, findings=len(found), not_proved=undone)
    figure("policy.check_s", taken, "s", rules=RULES, limit="<5")
    figure("policy.decision_ms_p99", quantiles(walls, n=100)[98] * 1e3, "ms", limit="<=1", **more)


if __name__ == "__main__":
    main()
