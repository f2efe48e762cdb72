"""An installation for the time of a demo or a drill: a folder, a configuration, airside in a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from msgspec import Struct

from airside.cli.client import Client
from airside.core.errors import AirsideError, Code
from airside.core.run import TERMINAL

START_S_MAX = 60.0
STOP_S_MAX = 20.0
WAIT_S_MAX = 60.0
ENDED = {str(state) for state in TERMINAL} | {"held"}

Run = Mapping[str, Any]


class Installation(Struct):
    """A folder, the settings written there, what airside's environment gets beside ours, and the process if it runs."""

    folder: Path
    settings: Mapping[str, Any]
    environ: Mapping[str, str] = MappingProxyType({})
    process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """Write the configuration. The data folder and the port are its own, whatever the settings say."""
        self.folder.mkdir(parents=True, exist_ok=True)
        own = {"data_dir": str(self.folder / "data"), "server": {"port": 0}}
        (self.folder / "airside.yaml").write_text(yaml.safe_dump({**self.settings, **own}, sort_keys=False))

    def start(self) -> Client:
        """Start `airside up` and return a client once it answers. Raises AirsideError `internal` with its log's end."""
        log = (self.folder / "airside.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "airside", "--config", str(self.folder / "airside.yaml"), "up"],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, **self.environ},
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


class Conversation:
    """An installation that runs, and what is asked of it."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.client: Client = installation.start()

    def submit(self, agent: str, task: str) -> str:
        """Submit a run and return its id."""
        return str(self.client.post("/api/v1/runs", {"agent": agent, "input": task})["id"])

    def ended(self, run_id: str) -> Run:
        """Return the run once it has ended."""
        run: Run = self.until(lambda: self.run(run_id), lambda run: run["state"] in ENDED, f"run {run_id} to end")
        return run

    def run(self, run_id: str) -> Run:
        """Return a run as it stands, with its result once it has ended."""
        run: dict[str, Any] = self.client.get(f"/api/v1/runs/{run_id}")
        ended = run["state"] in ENDED - {"held"}
        return run | ({"result": self.client.get(f"/api/v1/runs/{run_id}/result")["result"]} if ended else {})

    def until(self, look: Callable[[], Any], enough: Callable[[Any], bool], what: str) -> Any:
        """Look until it is enough; raises AirsideError `internal` after WAIT_S_MAX."""
        give_up = time.monotonic() + WAIT_S_MAX
        seen = look()
        while not enough(seen):
            if time.monotonic() > give_up:
                raise AirsideError(Code.INTERNAL, f"waited {WAIT_S_MAX:.0f} s for {what}; last seen: {seen}")
            time.sleep(0.05)
            seen = look()
        return seen
