"""What the documents and the code point at in this repository is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
_LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")
_DOCUMENT = re.compile(r"\bdocs/[\w/.-]+\.md\b")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text()
    broken = [link for link in _LINK.findall(text) if not (page.parent / link).exists()]
    broken += [name for name in _DOCUMENT.findall(text) if not (ROOT / name).exists()]
    assert not broken


def test_documents_that_the_code_names_exist() -> None:
    named = {
        name
        for root in ("src", "tests", "scripts", "benchmarks")
        for file in (ROOT / root).rglob("*.py")
        for name in _DOCUMENT.findall(file.read_text())
    }
    assert not sorted(name for name in named if not (ROOT / name).exists())
