"""The demo's installation: a folder with the shop, a configuration, and airside running in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct

from airside.cli.client import Client
from airside.cli.demo import shop_database
from airside.core.errors import AirsideError, Code

HERE = Path(__file__).parent
START_S_MAX = 60.0
STOP_S_MAX = 20.0
LEASE_S = 2.0


class Installation(Struct):
    """A folder, the airside process in it (if it runs), and a client of it."""

    folder: Path
    provider: str
    process: subprocess.Popen[bytes] | None = None

    @property
    def shop(self) -> Path:
        """The shop's own database."""
        return self.folder / "shop.sqlite"

    def create(self) -> None:
        """Make the shop and the configuration."""
        self.folder.mkdir(parents=True, exist_ok=True)
        shop_database.create(self.shop)
        (self.folder / "airside.yaml").write_text(yaml.safe_dump(self._settings(), sort_keys=False))

    def start(self) -> Client:
        """Start `airside up` and return a client once it answers. Raises AirsideError `internal` with its log's end."""
        log = (self.folder / "airside.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "airside", "--config", str(self.folder / "airside.yaml"), "up"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=os.environ | {"SHOP_DATABASE": str(self.shop)},
                start_new_session=True,
            )
        give_up = time.monotonic() + START_S_MAX
        while time.monotonic() < give_up and self.process.poll() is None:
            client = self._client()
            if client is not None:
                return client
            time.sleep(0.05)
        tail = (self.folder / "airside.log").read_text(errors="replace")[-2_000:]
        raise AirsideError(Code.INTERNAL, f"airside did not start; the end of its log:\n{tail}")

    def kill(self) -> None:
        """End airside as a power cut would: SIGKILL to the process that holds gateways, engine and worker."""
        if self.process:
            self.process.kill()
            self.process.wait()
            (self.folder / "data" / "server.url").unlink(missing_ok=True)

    def stop(self) -> None:
        """End airside in an orderly way."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def _client(self) -> Client | None:
        data = self.folder / "data"
        try:
            client = Client((data / "server.url").read_text().strip(), (data / "cli.key").read_text().strip())
        except FileNotFoundError:
            return None
        try:
            client.get("/readyz")
        except AirsideError:
            client.close()
            return None
        return client

    def _settings(self) -> dict[str, Any]:
        price = {"input": "8.00", "output": "32.00"}
        models: dict[str, Any] = {"support": {"provider": "shop", "price": price}}
        if self.provider != "scripted":
            models = {"support": {"provider": self.provider, "model": os.environ.get("MODEL", "gpt-4.1-mini")}}
        agent = {"model": "support", "tools": ["find_order", "refund", "delete_customer"]}
        return {
            "data_dir": str(self.folder / "data"),
            "server": {"port": 0},
            "providers": {"shop": {"kind": "scripted", "script": str(HERE / "script.yaml")}},
            "models": models,
            "agents": {
                "support": agent | {"entry": "airside.cli.demo.shop_agent:support"},
                "watcher": agent | {"entry": "airside.cli.demo.shop_agent:watcher", "budget": {"usd": "0.10"}},
            },
            "tools": {"modules": ["airside.cli.demo.shop_tools"], "env_pass": ["SHOP_DATABASE"]},
            "policy": {"file": str(HERE / "policy.yaml")},
            "runs": {"lease_renew_s": LEASE_S / 4, "lease_expire_s": LEASE_S},
        }
