"""A clinic's assistant in LangChain that knows nothing of airside. Records change only after a person has seen how.

It needs the extra `airside[langgraph]` and `langchain-openai`.
"""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.tools import tool

RECORDS = {"p-17": {"allergies": "none known", "phone": "555-0100"}}


@tool
def read_record(patient: str) -> dict[str, str]:
    """Read a patient's record."""
    return RECORDS[patient]


@tool
def amend_record(patient: str, field: str, value: str) -> dict[str, str]:
    """Change a field of a patient's record."""
    RECORDS[patient][field] = value
    return RECORDS[patient]


@tool
def delete_record(patient: str) -> str:
    """Delete a patient's record."""
    del RECORDS[patient]
    return f"the record of {patient} is deleted"


graph = create_agent(
    "openai:gpt-4.1-mini",
    [read_record, amend_record, delete_record],
    system_prompt="You help the clinic's staff with patients' records.",
    middleware=[HumanInTheLoopMiddleware(interrupt_on={"amend_record": True})],
)
