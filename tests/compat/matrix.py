"""Turn the results of the rows into the table of docs/compatibility.md.

python -m tests.compat.matrix RESULTS.xml, where the file is what `pytest --junitxml` wrote.
"""

import re
import sys
from collections import defaultdict
from xml.etree import ElementTree

from tests.compat.environments import LOCKS, PACKAGES

_CASE = re.compile(r"(\w+)\[(.+)-(oldest|latest|here)-(chat|responses|anthropic|gemini)-(stream|whole)\]")


def main(path: str) -> None:
    """Print one line for each framework, age and format: how many tests passed, and which failed."""
    passed: dict[tuple[str, str, str], int] = defaultdict(int)
    failed: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for case in ElementTree.parse(path).iter("testcase"):
        match = _CASE.fullmatch(case.get("name", ""))
        if match is None:
            continue
        row = (match[2], match[3], match[4])
        if case.find("failure") is None and case.find("error") is None:
            passed[row] += 1
        else:
            failed[row].append(f"{match[1].removeprefix('test_')} ({match[5]})")
    print("| framework | version | format | result |\n|---|---|---|---|")
    for row in sorted({*passed, *failed}, key=lambda row: (list(PACKAGES).index(row[0]), row[1] != "oldest", row[2])):
        framework, age, format_ = row
        told = f"{passed[row]} of {passed[row]}" if row not in failed else f"{passed[row]} passed; failed: "
        print(f"| {framework} | {version(framework, age)} | {format_} | {told}{', '.join(failed[row])} |")


def version(framework: str, age: str) -> str:
    """Return the version that an environment has of its framework."""
    name = PACKAGES[framework][0].partition("[")[0]
    found = re.search(rf"^{name}(?:\[.*\])?==(\S+)", (LOCKS / f"{framework}-{age}.txt").read_text(), re.MULTILINE)
    return found[1] if found else "?"


if __name__ == "__main__":
    main(sys.argv[1])
