"""docs/architecture.md knows every room and every module, and names no module that is gone."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "airside"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROOMS = sorted(folder.name for folder in SOURCE.iterdir() if (folder / "__init__.py").is_file())


def placed(room: str) -> set[str]:
    """The names in code type that the page's section on a room holds."""
    found = re.search(rf"^### `{room}/`\n(.*?)(?=^#)", PAGE, re.MULTILINE | re.DOTALL)
    return set(re.findall(r"`(\w+)`", found[1])) if found else set()


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_has_its_place(room: str) -> None:
    modules = {file.stem for file in (SOURCE / room).rglob("*.py")} - {"__init__"}
    homeless, gone = sorted(modules - placed(room)), sorted({name for name in placed(room) if name.islower()} - modules)
    assert not homeless, f"say in docs/architecture.md, under {room}/, what these are for: {', '.join(homeless)}"
    assert not gone, f"docs/architecture.md names what is gone from {room}/: {', '.join(gone)}"


def test_every_room_stands_in_the_table() -> None:
    rooms = {*[f"{room}/" for room in ROOMS], *[file.name for file in SOURCE.glob("*.py") if file.stem[0] != "_"]}
    assert rooms == set(re.findall(r"^\| `(\w+(?:/|\.py))` \|", PAGE, re.MULTILINE))


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^\| \[\d{4}\]\((.+?)\) \| (.+?) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    titles = {file.name: file.read_text().partition("\n")[0] for file in sorted(folder.glob("0*.md"))}
    assert [name for name, _ in listed] == list(titles)
    assert all(heading.startswith(f"# {name[:4]} ") for name, heading in titles.items())


def test_the_pipeline_is_drawn_in_its_order() -> None:
    source = (SOURCE / "composition" / "pipelines.py").read_text()
    whole = re.search(r"^    steps: list\[Step\] = \[\n(.*?)^    \]", source, re.MULTILINE | re.DOTALL)
    inner = re.search(r"^def _calling\(.*?^    return \[\n(.*?)^    \]", source, re.MULTILINE | re.DOTALL)
    assert whole is not None
    assert inner is not None
    steps = re.findall(r"^ {8}_?([A-Za-z]+)", whole[1].replace("        *calling,\n", inner[1]), re.MULTILINE)
    drawn = re.search(r"^ *(identify ▸.*?) ▸ CALL$", PAGE, re.MULTILINE | re.DOTALL)
    assert drawn is not None
    assert [step.lower() for step in steps] == re.findall(r"\w+", drawn[1])
