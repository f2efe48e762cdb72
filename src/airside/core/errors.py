"""Every way airside says no: one exception, one table of stable codes.

A code never changes its meaning. Its HTTP status is chosen so that stock SDKs behave: denials are 402 or 403 because
the OpenAI and Anthropic SDKs retry 408, 409, 429 and 5xx by themselves, and a denial must not be retried.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple


class Code(StrEnum):
    """Stable, documented names of failures; `docs/errors.md` explains each."""

    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    ATTEMPT_SUPERSEDED = "attempt_superseded"
    KILLED = "killed"
    LIMIT_EXCEEDED = "limit_exceeded"
    INVALID_REQUEST = "invalid_request"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    UNKNOWN_AGENT = "unknown_agent"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_TOOL = "unknown_tool"
    INVALID_ARGUMENTS = "invalid_arguments"
    POLICY_DENIED = "policy_denied"
    APPROVAL_REQUIRED = "approval_required"
    APPROVAL_DENIED = "approval_denied"
    APPROVAL_EXPIRED = "approval_expired"
    BUDGET_EXHAUSTED = "budget_exhausted"
    NO_PROGRESS = "no_progress"
    RATE_LIMITED = "rate_limited"
    BREAKER_OPEN = "breaker_open"
    HANDED_OFF = "handed_off"
    UPSTREAM_FAILED = "upstream_failed"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_REJECTED = "upstream_rejected"
    GUARD_BLOCKED = "guard_blocked"
    OUTCOME_UNKNOWN = "outcome_unknown"
    DIVERGED = "diverged"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    JOURNAL_UNAVAILABLE = "journal_unavailable"
    RELEASE_UNAVAILABLE = "release_unavailable"
    SECRET_UNAVAILABLE = "secret_unavailable"
    SECRET_DENIED = "secret_denied"
    SECRET_REFUSED = "secret_refused"
    TOOL_FAILED = "tool_failed"
    TOOL_CHANGED = "tool_changed"
    AGENT_FAILED = "agent_failed"
    CANCELLED = "cancelled"
    MISCONFIGURED = "misconfigured"
    INTERNAL = "internal"


class Meaning(NamedTuple):
    """What a code stands for: its HTTP status, what happened in general, and what the reader can do."""

    status: int
    title: str
    advice: str


MEANINGS: Mapping[Code, Meaning] = MappingProxyType(
    {
        Code.UNAUTHENTICATED: Meaning(
            401, "No valid credential was presented", "Send a run token or API key as a bearer token."
        ),
        Code.FORBIDDEN: Meaning(
            403, "The credential does not allow this", "Use an API key whose role allows it, or ask an admin for one."
        ),
        Code.ATTEMPT_SUPERSEDED: Meaning(
            403,
            "A newer attempt of this run has taken over",
            "Stop: this process is a leftover. The newer attempt goes on.",
        ),
        Code.KILLED: Meaning(
            403,
            "An operator has stopped this run, agent, tool or tenant",
            "Ask the operator; lift the kill with `airside kill --lift`.",
        ),
        Code.LIMIT_EXCEEDED: Meaning(
            413, "The request is larger than a limit", "Send less, or raise the limit named in the message."
        ),
        Code.INVALID_REQUEST: Meaning(400, "The request is not well formed", "Correct what the message names."),
        Code.NOT_FOUND: Meaning(404, "There is nothing under this name", "Check the id, the path and the tenant."),
        Code.CONFLICT: Meaning(
            409, "The state does not allow this step", "Read the current state first; someone may have been faster."
        ),
        Code.UNKNOWN_AGENT: Meaning(
            404, "No agent of this name is configured", "Name it under `agents:` in airside.yaml."
        ),
        Code.UNKNOWN_MODEL: Meaning(
            404,
            "The model is unknown or has no known price",
            "Configure it under `models:` with a provider and, if it is not a public model, a price.",
        ),
        Code.UNKNOWN_TOOL: Meaning(
            404,
            "No tool of this name exists for this agent",
            "Register it with @tool; list its module in airside.yaml.",
        ),
        Code.INVALID_ARGUMENTS: Meaning(
            400, "The arguments do not fit the tool's schema", "Correct the argument named in the message."
        ),
        Code.POLICY_DENIED: Meaning(
            403, "Policy does not allow this call", "The decision names the rule; change the plan or ask for a rule."
        ),
        Code.APPROVAL_REQUIRED: Meaning(
            403,
            "A person must approve this call first",
            "Start the agent through airside (`airside submit` or `airside run`), so that it can wait for an approval.",
        ),
        Code.APPROVAL_DENIED: Meaning(403, "A reviewer denied this call", "The reason is in the message."),
        Code.APPROVAL_EXPIRED: Meaning(
            403, "The approval is no longer valid", "Ask again: an approval covers one call for a limited time."
        ),
        Code.BUDGET_EXHAUSTED: Meaning(
            402, "A budget does not allow this call", "The message names the budget; raise its limit or do less."
        ),
        Code.NO_PROGRESS: Meaning(
            403,
            "The run goes round in circles",
            "Change the agent, or name the tool in `tools.polling` if repeating it is its use.",
        ),
        Code.RATE_LIMITED: Meaning(429, "Too many requests", "Wait for the time in Retry-After."),
        Code.BREAKER_OPEN: Meaning(
            503, "This dependency is failing and was switched off for a while", "The run resumes when it recovers."
        ),
        Code.HANDED_OFF: Meaning(
            409, "The run waits for a task that it handed to another agent", "It goes on when that run has ended."
        ),
        Code.UPSTREAM_FAILED: Meaning(
            502, "The provider or tool failed", "airside retried where that was safe; look at the provider's status."
        ),
        Code.UPSTREAM_TIMEOUT: Meaning(
            504, "The provider or tool did not answer in time", "Raise the timeout, or look at the provider's status."
        ),
        Code.UPSTREAM_REJECTED: Meaning(
            400, "The provider refused the request", "Correct the request as the provider's message says."
        ),
        Code.GUARD_BLOCKED: Meaning(
            403,
            "A guard blocked this content",
            "Leave out what was found. If it is a false alarm, tell an operator: `airside guard keep`, `guards.rules`.",
        ),
        Code.OUTCOME_UNKNOWN: Meaning(
            403,
            "It is not known whether this side effect happened",
            "A person must look at the other system and resolve the held call.",
        ),
        Code.DIVERGED: Meaning(
            403,
            "The agent did something else than before its crash",
            "A person must decide; make the agent deterministic (no clock, no random ids in its calls).",
        ),
        Code.IDEMPOTENCY_CONFLICT: Meaning(
            409, "This Idempotency-Key was used with another body", "Use a new key for a new request."
        ),
        Code.JOURNAL_UNAVAILABLE: Meaning(
            503, "The journal cannot be written, so nothing may leave", "Check the disk and the database, then retry."
        ),
        Code.RELEASE_UNAVAILABLE: Meaning(
            503, "No worker can run this release", "Start a worker that has it, or `airside runs move --to`."
        ),
        Code.SECRET_UNAVAILABLE: Meaning(
            503, "A secret that this call needs cannot be had", "See what `airside secrets check` says of its store."
        ),
        Code.SECRET_DENIED: Meaning(
            403,
            "No grant allows this secret here",
            "Grant it to the tool and the place under `secrets.grants`, or leave it.",
        ),
        Code.SECRET_REFUSED: Meaning(
            502,
            "The other side does not accept the credential",
            "airside asked its store for a newer one; see whether the two still belong together.",
        ),
        Code.TOOL_FAILED: Meaning(502, "The tool raised an error", "The message is the tool's own."),
        Code.TOOL_CHANGED: Meaning(
            409,
            "The tool is not what this run was shown",
            "A new run sees it as it is now; look at what changed with `airside tools check`.",
        ),
        Code.AGENT_FAILED: Meaning(500, "The agent's own code failed", "Read the run's error; fix the agent."),
        Code.CANCELLED: Meaning(403, "The run was cancelled", "Submit it again if it is still wanted."),
        Code.MISCONFIGURED: Meaning(500, "The configuration is not usable", "Correct the setting the message names."),
        Code.INTERNAL: Meaning(
            500, "airside itself failed", "Nothing was executed beyond the journal; report the error id."
        ),
    }
)


class AirsideError(Exception):
    """A failure that a caller may see.

    `message` says what happened and why in this very case, without secrets or personal data; `advice` what to do.
    `details` are plain JSON values for programs. `retry_after_s` is set where waiting helps. `details["unbilled"]` is
    True when a call that left certainly consumed nothing: else it is charged its full reservation. Once the pipeline
    has journaled the failure, `recorded` is true and `call_id` names the call; a failure answered from the journal has
    `replayed` set and the instant of its record in `at_us`.
    """

    def __init__(
        self,
        code: Code,
        message: str = "",
        *,
        advice: str = "",
        details: Mapping[str, object] = MappingProxyType({}),
        retry_after_s: float | None = None,
    ) -> None:
        meaning = MEANINGS[code]
        self.code = code
        self.message = message or meaning.title
        self.advice = advice or meaning.advice
        self.details = details
        self.retry_after_s = retry_after_s
        self.recorded = False
        self.replayed = False
        self.call_id = ""
        self.at_us = 0
        super().__init__(f"{code}: {self.message}")

    @property
    def status(self) -> int:
        """The HTTP status this failure is answered with."""
        return MEANINGS[self.code].status


class TransientError(AirsideError):
    """A failure that may pass by itself: the only kind that is retried (requirement E1).

    `details["not_sent"]` is True when the request certainly did not reach the other side: only then is a side effect
    that is not idempotent tried again, and is its outcome known to be none.
    """


class CredentialRefused(AirsideError):
    """The other side refused a credential before it did anything, so that the same may be sent with another one.

    Tools raise it for their own upstreams: airside then gets the newest credential and tries once more.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(Code.SECRET_REFUSED, message, details={"not_sent": True, "unbilled": True})


class MaxRetriesExceeded(AirsideError):
    """Every permitted try of a call failed with a TransientError."""
