"""The demo is the product's promise in six scenes, so it is played whole: real processes, a real SIGKILL."""

import json
import subprocess
import sys

TIMEOUT_S = 110


def test_every_scene_of_the_demo_goes_well():
    played = subprocess.run(
        [sys.executable, "-m", "airside", "demo", "--json"],
        capture_output=True,
        check=False,
        timeout=TIMEOUT_S,
        env={"PATH": "/usr/bin:/bin"},
        text=True,
    )

    facts = json.loads(played.stdout.splitlines()[-1])
    assert [run["scene"] for run in facts["runs"] if not run["went_well"]] == []
    assert {run["state"] for run in facts["runs"]} == {"succeeded", "partial"}
    assert facts["fsck_clean"]
    assert played.returncode == 0, played.stderr
