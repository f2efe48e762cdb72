"""Ordinary work must not drown in approvals: tau2's shop, its tasks as they should go, under ownership rules and $500.

The shop's tools are told by manifests (`retail.yaml`) and read from its own data; what an effect moves is worked out
from that data and stated as the call's amount, as the shop's payment service would. Whom a task is for is certain: the
shop has authenticated the customer before its agent may do anything (its own policy demands that first).
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from airside.core.call import Effect
from airside.core.policy import Facts
from airside.policy.decision import RulePolicy
from airside.policy.loading import load
from airside.policy.plans.facts import told
from airside.policy.provenance.ledger import Ledger, Made
from benchmarks.containment import labels, rules
from benchmarks.containment.attacks import Act
from benchmarks.figures import figure, option

FOLDER = Path(option("tau2", "../shared/data/tau2/retail"))
LABELS = Path(__file__).with_name("retail.yaml")
POLICY = Path(__file__).parents[2] / "examples" / "policy-shop.yaml"


class Shop:
    """The shop's data, and its tools upon it as far as the tasks' own calls need them."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data
        variants = [item for product in data["products"].values() for item in product["variants"].values()]
        self._prices = {item["item_id"]: Decimal(str(item["price"])) for item in variants}

    def owner(self, acts: list[Act]) -> str:
        """Return the customer that a task is for, by the first of its calls that tells."""
        for act in acts:
            if act.tool in {"find_user_id_by_name_zip", "find_user_id_by_email"}:
                found = str(self.read(act))
                if found in self._data["users"]:
                    return found
            if "user_id" in act.arguments:
                return str(act.arguments["user_id"])
            if act.arguments.get("order_id") in self._data["orders"]:
                return str(self._data["orders"][act.arguments["order_id"]]["user_id"])
        return ""

    def read(self, act: Act) -> Any:
        """Return what a reading tool answers."""
        said = act.arguments
        users = self._data["users"]
        if act.tool == "find_user_id_by_email":
            return next((key for key, user in users.items() if user["email"] == said["email"]), "not found")
        if act.tool == "find_user_id_by_name_zip":
            return next((key for key, user in users.items() if _is_called(user, said)), "not found")
        if act.tool == "get_user_details":
            return users.get(said["user_id"], "not found")
        if act.tool == "get_order_details":
            return self._data["orders"].get(said["order_id"], "not found")
        if act.tool == "get_product_details":
            return self._data["products"].get(said["product_id"], "not found")
        if act.tool == "get_item_details":
            return next(
                product["variants"][said["item_id"]]
                for product in self._data["products"].values()
                if said["item_id"] in product["variants"]
            )
        return "done"

    def looks(self, customer: str, act: Act) -> list[Act]:
        """Return the reads without which no agent knows what to put into an effect: the tasks' answers leave them out.

        These are the customer, their order, and the catalogue's entry for each product in it.
        """
        order = self._data["orders"].get(act.arguments.get("order_id"))
        products = dict.fromkeys(item["product_id"] for item in order["items"]) if order else ()
        return [
            *([Act("get_user_details", {"user_id": customer})] if customer else ()),
            *([Act("get_order_details", {"order_id": order["order_id"]})] if order else ()),
            *[Act("get_product_details", {"product_id": product}) for product in products],
        ]

    def with_amount(self, act: Act, *, any_refund: bool) -> Act:
        """Return an effect with the dollars that it moves anew.

        That is the difference in price of another item, and what is paid back to somewhere else than it was paid from.
        With `any_refund`, what goes back to where it came from counts as well.
        """
        said = act.arguments
        moved: Decimal | None = None
        if act.tool == "return_delivered_order_items":
            moved = sum((self._paid(said["order_id"], item) for item in said["item_ids"]), Decimal(0))
            moved = (
                moved if any_refund or not self._paid_by(said["order_id"], said["payment_method_id"]) else Decimal(0)
            )
        elif act.tool in {"exchange_delivered_order_items", "modify_pending_order_items"}:
            old = sum((self._paid(said["order_id"], item) for item in said["item_ids"]), Decimal(0))
            moved = abs(sum((self._prices[item] for item in said["new_item_ids"]), Decimal(0)) - old)
        elif act.tool == "cancel_pending_order":
            items = self._data["orders"][said["order_id"]]["items"]
            moved = sum((Decimal(str(item["price"])) for item in items), Decimal(0)) if any_refund else Decimal(0)
        return act if moved is None else Act(act.tool, {**said, "amount": float(moved)})

    def _paid_by(self, order_id: str, method: str) -> bool:
        return any(paid["payment_method_id"] == method for paid in self._data["orders"][order_id]["payment_history"])

    def _paid(self, order_id: str, item_id: str) -> Decimal:
        items = self._data["orders"][order_id]["items"]
        return next((Decimal(str(item["price"])) for item in items if item["item_id"] == item_id), Decimal(0))


def tell() -> None:
    """Print how many tasks ask anybody; a missing folder is told as a figure without value."""
    if not FOLDER.is_dir():
        figure("containment.tau2_retail_asked", None, "share", reason=f"no data in {FOLDER}; set AIRSIDE_BENCH_TAU2")
        return
    shop = Shop(json.loads((FOLDER / "db.json").read_text()))
    tasks = json.loads((FOLDER / "tasks.json").read_text())
    policy = load(POLICY)
    asking = {task["id"]: why for task in tasks if (why := _asks(shop, policy, task, any_refund=False))}
    for task_id, why in asking.items():
        print(f"tau2 retail {task_id} asks: {'; '.join(why)}")
    figure(
        "containment.tau2_retail_asked",
        len(asking) / len(tasks),
        "share",
        n=len(tasks),
        asked=len(asking),
        how="$500 of money newly moved; a refund to the payment that it came from undoes one",
    )
    strictly = sum(bool(_asks(shop, policy, task, any_refund=True)) for task in tasks)
    figure("containment.tau2_retail_asked_any_refund", strictly / len(tasks), "share", how="$500 for every refund")


def _asks(shop: Shop, policy: RulePolicy, task: dict[str, Any], *, any_refund: bool) -> list[str]:
    actions = (task["evaluation_criteria"] or {}).get("actions") or []
    acts = [Act(action["name"], action["arguments"]) for action in actions]
    known = labels.read(LABELS, "retail")
    customer = shop.owner(acts)
    ledger = Ledger(known.declared, {"customer": customer})
    ledger.add_prompt(task["user_scenario"]["instructions"])
    why = []
    for number, plain in enumerate(acts):
        effect = known.tools[plain.tool].effect is not Effect.READ
        for look in (*(shop.looks(customer, plain) if effect else ()), plain):
            act = shop.with_amount(look, any_refund=any_refund)
            tool = known.tools[act.tool]
            facts = told(Facts(at_us=1), ledger, tool, act.arguments).facts
            decision = policy.decide(rules.call_of(act, tool, facts), tool)
            if not rules.allowed(decision):
                why.append(f"{act.tool} ({', '.join(reason.rule for reason in decision.reasons)})")
            made = Made(
                call_id=f"call_{number}", name=act.tool, tool=tool, arguments=act.arguments, result=shop.read(act)
            )
            ledger.add(made)
    return why


def _is_called(user: dict[str, Any], said: dict[str, str]) -> bool:
    name = user["name"]
    return bool(
        name["first_name"].lower() == said["first_name"].lower()
        and name["last_name"].lower() == said["last_name"].lower()
        and user["address"]["zip"] == said["zip"]
    )
