"""The demo's installation: a small shop, and the settings under which its agents run."""

import os
from pathlib import Path
from typing import Any

from airside.cli.demo import shop_database
from airside.cli.throwaway import Installation

HERE = Path(__file__).parent
LEASE_S = 2.0


def shop_of(installation: Installation) -> Path:
    """Return the shop's own database."""
    return installation.folder / "shop.sqlite"


def create(folder: Path, provider: str) -> Installation:
    """Make the shop and its installation in a folder, with the model of that provider."""
    installation = Installation(folder, _settings(provider), {"SHOP_DATABASE": str(folder / "shop.sqlite")})
    installation.create()
    shop_database.create(shop_of(installation))
    return installation


def _settings(provider: str) -> dict[str, Any]:
    price = {"input": "8.00", "output": "32.00"}
    models: dict[str, Any] = {"support": {"provider": "shop", "price": price}}
    if provider != "scripted":
        models = {"support": {"provider": provider, "model": os.environ.get("MODEL", "gpt-4.1-mini")}}
    agent = {"model": "support", "tools": ["find_order", "refund", "delete_customer"]}
    return {
        "providers": {"shop": {"kind": "scripted", "script": str(HERE / "script.yaml")}},
        "models": models,
        "agents": {
            "support": agent | {"entry": "airside.cli.demo.shop_agent:support"},
            "watcher": agent | {"entry": "airside.cli.demo.shop_agent:watcher", "budget": {"usd": "0.10"}},
        },
        "tools": {
            "modules": ["airside.cli.demo.shop_tools"],
            "env_pass": ["SHOP_DATABASE"],
            "polling": ["find_order"],  # an order's state may be asked again and again: what stops that is the budget
        },
        "policy": {"file": str(HERE / "policy.yaml")},
        "runs": {"lease_renew_s": LEASE_S / 4, "lease_expire_s": LEASE_S},
    }
