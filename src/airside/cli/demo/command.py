"""`airside demo`: set the stage, play the scenes, check the journal, and print the facts as one JSON line, last."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from airside.cli.demo import scenario
from airside.cli.demo.installation import create
from airside.cli.group import group
from airside.cli.output import say
from airside.cli.throwaway import Installation

app = group()


@app.command()
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="leave the demo's folder for looking around")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print only the JSON line")] = False,
) -> None:
    """Run a shop's support agent through success, approval, denial, crash and budget stop (about half a minute)."""
    provider = "openai" if os.environ.get("OPENAI_API_KEY") else "scripted"
    folder = Path(tempfile.mkdtemp(prefix="airside-demo-"))
    installation = create(folder, provider)
    tell = (lambda _: None) if as_json else say
    started = time.monotonic()
    tell(f"A small shop and its support agent, in {folder}. The model is {_label(provider)}.\n")
    try:
        scenes = _play(installation, tell)
    finally:
        installation.stop()
    clean = _fsck(folder)
    tell(f"{'ok' if clean else 'FAILED'}  fsck: the journal, the budgets and every sealed message are consistent.\n")
    facts: dict[str, Any] = {
        "demo": "ok" if clean and all(scene.went_well for scene in scenes) else "failed",
        "model": provider,
        "seconds": round(time.monotonic() - started, 1),
        "fsck_clean": clean,
        "runs": [_fact(scene) for scene in scenes],
    }
    if keep:
        tell(f"Kept. Look around: airside --config {folder}/airside.yaml up")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(facts))
    if facts["demo"] != "ok":
        raise typer.Exit(1)


def _play(installation: Installation, tell: Any) -> list[scenario.Scene]:
    stage = scenario.Stage(installation)
    scenes = []
    for number, play in enumerate(scenario.SCENES, start=1):
        scene = play(stage)
        tell(f"{'ok' if scene.went_well else 'FAILED'}  {number}. {scene.title}  [{scene.state}, ${scene.cost_usd}]")
        tell(f"    {scene.told}\n")
        scenes.append(scene)
    stage.client.close()
    return scenes


def _fact(scene: scenario.Scene) -> dict[str, Any]:
    return {
        "scene": scene.title,
        "went_well": scene.went_well,
        "run": scene.run_id,
        "state": scene.state,
        "cost_usd": scene.cost_usd,
    }


def _fsck(folder: Path) -> bool:
    command = [sys.executable, "-m", "airside", "--config", str(folder / "airside.yaml"), "fsck"]
    return subprocess.run(command, check=False, stdout=sys.stderr, stdin=subprocess.DEVNULL).returncode == 0


def _label(provider: str) -> str:
    return "scripted, no language model" if provider == "scripted" else f"real, from {provider}"
