"""The environments in which the rows run: for each framework the oldest supported versions and the latest.

    python -m tests.compat.environments install FOLDER [FRAMEWORK...]   from tests/compat/locks, every package hashed
    python -m tests.compat.environments lock                            renew the locks (needs uv)

The oldest are what an installation got on the day named below: whole environments that once were current, because
frameworks break on packages newer than themselves, and that is not ours to test.
"""

import argparse
import compileall
import subprocess
import sys
import venv
from pathlib import Path

LOCKS = Path(__file__).parent / "locks"
OLDEST = "2025-11-25"
OLDEST_OF = {"agent-framework": "2026-04-15"}  # its first release that was no preview
PACKAGES: dict[str, tuple[str, ...]] = {
    "openai": ("openai",),
    "anthropic": ("anthropic",),
    "pydantic-ai": ("pydantic-ai-slim[openai,anthropic,google]",),
    "openai-agents": ("openai-agents",),
    "langgraph": ("langgraph", "langchain", "langchain-openai", "langchain-anthropic"),
    "google-genai": ("google-genai",),
    "agno": ("agno", "openai", "anthropic", "google-genai"),
    "agent-framework": ("agent-framework-core", "agent-framework-openai"),
    "crewai": ("crewai",),
    "google-adk": ("google-adk",),
}
PYTHON = "3.11"


def lock() -> None:
    """Write a hashed lock for each framework and age."""
    LOCKS.mkdir(exist_ok=True)
    for framework, packages in PACKAGES.items():
        for age in ("oldest", "latest"):
            dated = ["--exclude-newer", OLDEST_OF.get(framework, OLDEST)] if age == "oldest" else []
            options = [
                "--universal",
                "--python-version",
                PYTHON,
                "--generate-hashes",
                "--no-emit-index-url",
                "--no-strip-extras",
            ]
            quiet = ["--no-header", "--no-annotate", "--quiet", "--upgrade"]
            target = LOCKS / f"{framework}-{age}.txt"
            command = ["uv", "pip", "compile", "-", *options, *quiet, *dated, "-o", str(target)]
            subprocess.run(command, input="\n".join(packages), text=True, check=True)


def install(folder: Path, frameworks: list[str]) -> None:
    """Make the environments that are missing, or older than their lock."""
    for framework in frameworks or PACKAGES:
        for age in ("oldest", "latest"):
            requirements = LOCKS / f"{framework}-{age}.txt"
            place = folder / f"{framework}-{age}"
            stamp = place / ".complete"
            if stamp.exists() and stamp.read_text() == requirements.read_text():
                continue
            print(f"making {place}", flush=True)
            venv.create(place, clear=True, with_pip=True, symlinks=True)
            pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*pip, "--require-hashes", "-r", str(requirements)], check=True)
            compileall.compile_dir(place / "lib", quiet=2)  # attempts write no bytecode, so each would compile anew
            stamp.write_text(requirements.read_text())


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("lock")
    installing = commands.add_parser("install")
    installing.add_argument("folder", type=Path)
    installing.add_argument("frameworks", nargs="*", choices=[[], *PACKAGES])
    options = parser.parse_args()
    if options.command == "lock":
        lock()
    else:
        install(options.folder.absolute(), options.frameworks)


if __name__ == "__main__":
    sys.exit(main())
