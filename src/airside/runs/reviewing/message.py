"""What reviewers are told of a proposal: what wants to happen and why they are asked, without its content. Pure."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

from airside.core.clock import SECOND_US
from airside.core.ports import Row


def title(row: Row) -> str:
    """Return the subject line."""
    return f"airside: {row['agent']} wants to call {row['tool']} (risk {row['risk']})"


def text(row: Row, links: Mapping[str, str]) -> str:
    """Return the message: rules, deadline, and links by what they do."""
    reasons = json.loads(row["decision"])["reasons"]
    until = datetime.fromtimestamp(row["decide_by_us"] / SECOND_US, UTC).strftime("%Y-%m-%d %H:%M UTC")
    lines = [
        f"approval {row['approval_id']}",
        *[f"because {reason['rule']}: {reason['because']}" for reason in reasons],
        f"to be decided by {until}; people who must agree: {row['required']}",
        *[f"{verdict}: {link}" for verdict, link in links.items()],
    ]
    if not links:
        lines.append(f"decide with: airside approvals show {row['approval_id']}")
    return "\n".join(lines)
