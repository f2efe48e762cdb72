"""Packages that only a benchmark reads: installed by their lock, without what they need, below the user's cache."""

import os
import subprocess
import sys
from pathlib import Path

import platformdirs


def installed(name: str, lock: Path) -> Path:
    """Install what a lock names, if it is not there yet, and return the folder: AIRSIDE_BENCH_PEERS or the cache."""
    chosen = os.environ.get("AIRSIDE_BENCH_PEERS")
    cache = Path(chosen) if chosen else Path(platformdirs.user_cache_path("airside-bench")) / "peers"
    folder = cache / name
    done = folder / ".lock"
    if done.is_file() and done.read_bytes() == lock.read_bytes():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--upgrade"]
    subprocess.run([*pip, "--require-hashes", "-r", str(lock), "--target", str(folder)], check=True, timeout=600)
    done.write_bytes(lock.read_bytes())
    return folder
