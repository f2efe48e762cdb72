"""Who must agree: a call that policy wants a person to see waits here, holding no reservation.

An approval covers exactly the call that was asked for, or the reviewer's edit of it, and policy is asked again once it
is there: what has been forbidden meanwhile, or is forbidden as edited, does not leave.
"""

from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from airside.core import canonical
from airside.core.call import Call, Outcome
from airside.core.errors import AirsideError, Code
from airside.core.policy import Verdict
from airside.core.ports import Approvals, ApprovalState, Forward, Keyring, Policy
from airside.pipeline.refusal import Refusal
from airside.pipeline.request import name_parts
from airside.pipeline.verdict import ToolOf, permitted, rule_names
from airside.pipeline.waiting import unanswered

Rebuild = Callable[[Call, bytes], Call]
"""Makes the edited call from the asked one and the reviewer's canonical arguments: `arguments`, `parts`, `need`,
`payload`. Raises AirsideError `invalid_arguments` if they do not fit the tool's schema."""

Gather = Callable[[Call], Awaitable[Call]]
"""Returns a call with the facts that rules look at, as they are now."""


class Approve:
    """Asks for an approval where policy says so."""

    def __init__(
        self, approvals: Approvals, policy: Policy, tool_of: ToolOf, gather: Gather, rebuild: Rebuild, keyring: Keyring
    ) -> None:
        self._approvals = approvals
        self._policy = policy
        self._tool_of = tool_of
        self._gather = gather
        self._rebuild = rebuild
        self._keyring = keyring

    async def __call__(self, call: Call, forward: Forward) -> Outcome:
        """Pass on what needs no approval, or has one.

        Raises `approval_required` for programs that nobody can make wait, `approval_denied`, `approval_expired`,
        `policy_denied`, `invalid_arguments`. While the approval is pending it does not return.
        """
        assert call.decision is not None, "approve ran before permit"
        if call.decision.verdict is not Verdict.ASK or call.approval_id:
            return await forward(call)
        if not call.who.supervised:
            rules = rule_names(call.decision)
            raise Refusal(call, Code.APPROVAL_REQUIRED, f"a person must approve this call first (rules: {rules})")
        answer = await self._approvals.ask(call, call.decision, self._tool_of(call))
        if answer.state == "pending":
            await unanswered()
        approved = await self._approved(call, answer)
        outcome = await forward(approved)
        if not approved.edited:
            return outcome
        return replace(outcome, edited=True, arguments=canonical.encode(approved.arguments))

    async def _approved(self, call: Call, answer: ApprovalState) -> Call:
        call = replace(call, approval_id=answer.approval_id)
        if answer.state == "denied":
            raise Refusal(call, Code.APPROVAL_DENIED, f"a reviewer denied it: {answer.reason or 'no reason given'}")
        if answer.state == "expired":
            raise Refusal(call, Code.APPROVAL_EXPIRED, "nobody decided on this call, or used the approval, in time")
        if answer.state != "approved":
            raise AirsideError(Code.INTERNAL, f"approval {answer.approval_id} is in the unknown state {answer.state}")
        if answer.edited_arguments is not None:
            call = await self._edited(call, answer.edited_arguments)
        call = await self._gather(call)
        return permitted(call, self._policy.decide(call, self._tool_of(call)))

    async def _edited(self, call: Call, arguments: bytes) -> Call:
        """Return the reviewer's version. It keeps the request hash: by it the agent's own request finds the answer."""
        try:
            edited = self._rebuild(call, arguments)
        except AirsideError as error:
            raise Refusal(call, error.code, f"the reviewer's edit does not fit: {error.message}") from error
        key = await self._keyring.subject(call.who.tenant_id, call.who.subject)
        return replace(
            call,
            arguments=edited.arguments,
            parts=edited.parts,
            part_ids=name_parts(edited, key),
            need=edited.need,
            payload=edited.payload,
            edited=True,
        )
