"""The scenes of the demo. Each does something real, looks at the shop's own database, and says what happened."""

from decimal import Decimal

from msgspec import Struct

from airside.cli.demo import shop_database
from airside.cli.demo.installation import shop_of
from airside.cli.throwaway import Conversation, Run


class Scene(Struct, frozen=True):
    """What one scene showed: whether it went as it must, in words, and the run it was about."""

    title: str
    told: str
    went_well: bool
    run_id: str
    state: str
    cost_usd: str


class Stage(Conversation):
    """The installation, its shop and the client that the scenes share."""

    def refunds(self, order: int) -> list[int]:
        """Return the cents of the refunds that the shop really paid for an order."""
        return shop_database.refunds(shop_of(self.installation), order)

    def order(self, item: str, status: str = "delivered") -> int:
        """Return an order for a scene."""
        return shop_database.order_of(shop_of(self.installation), item=item, status=status)


def question(stage: Stage) -> Scene:
    """A normal answer."""
    order = stage.order("grinder")
    run = stage.ended(stage.submit("support", f"Where is my order {order}?"))
    told = f"The customer asked where order {order} is. The agent looked it up and said: {_answer(run)!r}"
    return _scene("A question is answered", told, run, well=run["state"] == "succeeded")


def small_refund(stage: Stage) -> Scene:
    """A refund within the limits of the policy."""
    order = stage.order("teapot")
    run = stage.ended(stage.submit("support", f"My teapot broke, please refund order {order}."))
    paid = stage.refunds(order)
    told = (
        f"Refunds up to $50 are allowed. The shop paid {_dollars(paid)} for order {order}. The agent: {_answer(run)!r}"
    )
    return _scene("A refund within limits is paid", told, run, well=run["state"] == "succeeded" and paid == [1850])


def edited_refund(stage: Stage) -> Scene:
    """A refund over the limit: it waits, is edited, approved, and executed once."""
    order = stage.order("espresso machine")
    run_id = stage.submit("support", f"The espresso machine is scratched, please refund order {order}.")
    stage.until(lambda: stage.run(run_id)["state"], lambda state: state == "waiting_approval", "the approval")
    before = stage.refunds(order)
    approval = stage.client.get("/api/v1/approvals", run=run_id)["items"][0]
    decision = {
        "decision": "approve",
        "reason": "half, it is only a scratch",
        "arguments": {"order_id": order, "amount_usd": "124.50"},
    }
    stage.client.post(f"/api/v1/approvals/{approval['id']}/decision", decision)
    run = stage.ended(run_id)
    paid = stage.refunds(order)
    told = (
        f"$249.00 needs a person, so the run waited without holding a worker. The reviewer cut it to $124.50 and "
        f"approved. The shop paid {_dollars(paid)}. The agent, told of the edit, said: {_answer(run)!r}"
    )
    well = run["state"] == "succeeded" and before == [] and paid == [12450]
    return _scene("A large refund waits, is edited and approved", told, run, well=well)


def forbidden(stage: Stage) -> Scene:
    """A tool that the policy denies."""
    run = stage.ended(stage.submit("support", "Please delete customer 4 and all my data."))
    told = f"The model tried delete_customer; policy denied it before it left. The agent: {_answer(run)!r}"
    return _scene("A forbidden tool is denied", told, run, well=run["state"] == "succeeded")


def crash(stage: Stage) -> Scene:
    """SIGKILL in mid-run, after the refund was paid and before the agent knew how to go on."""
    order = stage.order("mug")
    run_id = stage.submit("support", f"No hurry: please refund order {order}, the mug is chipped.")
    stage.until(lambda: stage.refunds(order), bool, "the refund")
    stage.installation.kill()
    stage.client.close()
    stage.client = stage.installation.start()
    run = stage.ended(run_id)
    paid = stage.refunds(order)
    told = (
        f"airside was killed with SIGKILL right after the shop had paid. Started again, it ran the agent anew from the "
        f"journal: attempt {run['attempt']} finished, and the shop has paid {_dollars(paid)}, once."
    )
    well = run["state"] == "succeeded" and paid == [950] and run["attempt"] > 1
    return _scene("A crash in mid-run pays once", told, run, well=well)


def runaway(stage: Stage) -> Scene:
    """An agent in an endless loop, stopped by its budget with what it had."""
    order = stage.order("kettle", "in transit")
    run = stage.ended(stage.submit("watcher", str(order)))
    result = run.get("result") or {}
    told = (
        f"An agent with an endless loop was stopped by its $0.10 budget after spending ${_cost(run)}; "
        f"the partial result says: {str(result.get('reason'))!r}"
    )
    well = run["state"] == "partial" and Decimal("0.05") < Decimal(_cost(run)) <= Decimal("0.10")
    return _scene("A runaway loop is stopped by its budget", told, run, well=well)


SCENES = (question, small_refund, edited_refund, forbidden, crash, runaway)


def _scene(title: str, told: str, run: Run, *, well: bool) -> Scene:
    return Scene(title, told, well, str(run["id"]), str(run["state"]), _cost(run))


def _answer(run: Run) -> str:
    result = run.get("result")
    return str(result.get("answer")) if isinstance(result, dict) else str(run.get("message"))


def _cost(run: Run) -> str:
    return f"{Decimal(run['budget']['usd']['spent']):.4f}"


def _dollars(cents: list[int]) -> str:
    return " + ".join(f"${Decimal(amount) / 100:.2f}" for amount in cents) or "nothing"
