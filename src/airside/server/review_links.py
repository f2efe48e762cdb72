"""The page behind the signed links in notices. Opening it decides nothing; its button does, by POST.

The link is the credential: it names the person, the approval and the verdict, and works once. It travels in the query
and in the form, neither of which is logged, and the page lets nothing be loaded, framed, cached or referred to.
"""

import html
import json
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from airside.core.errors import AirsideError, Code
from airside.core.ports import Database, Transaction
from airside.runs.reviewing import ballot
from airside.runs.reviewing.ballot import UsedLink
from airside.runs.reviewing.chain import Person
from airside.runs.reviewing.links import TOKEN_CHARACTERS_MAX, Link, Verdict
from airside.runs.reviewing.notify import PAGE
from airside.runs.reviewing.review import Review
from airside.runs.reviewing.services import Reviewing
from airside.server.api.plane_of import PlaneOf

router = APIRouter(include_in_schema=False)

FORM_BYTES_MAX = 16_384
SHOWN_CHARACTERS_MAX = 20_000
HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
}
_ASKS = {"view": "Show the proposal", "approve": "Approve this call", "deny": "Deny this call"}
_VERDICTS: tuple[Verdict, ...] = ("approve", "deny")
Token = Annotated[str, Query(max_length=TOKEN_CHARACTERS_MAX)]


@router.get(PAGE)
async def look(plane: PlaneOf, t: Token = "") -> HTMLResponse:
    """Say what the link would do, with a button that does it."""
    reviewing = plane.services.reviewing
    try:
        link = reviewing.links.read(t, await plane.database.look_up(_now))
        review = await reviewing.reviews.show(link.tenant_id, link.approval_id, opened=False)
    except AirsideError as error:
        return _refusal(error)
    if review.state != "pending":
        return _page(f"<p>This is {html.escape(review.state)} already.</p>")
    return _page(_facts(review) + _form(t, _ASKS[link.verdict], reason=link.verdict == "deny"))


@router.post(PAGE)
async def act(request: Request, plane: PlaneOf) -> HTMLResponse:
    """Do what the link allows, once."""
    try:
        token, reason = await _form_of(request)
        link = plane.services.reviewing.links.read(token, await plane.database.look_up(_now))
        return await _act(plane.services.reviewing, plane.database, link, reason)
    except AirsideError as error:
        return _refusal(error)


async def _act(reviewing: Reviewing, database: Database, link: Link, reason: str) -> HTMLResponse:
    who, used = Person(link.reviewer, "link", link.role), UsedLink(link.nonce, link.expires_us)
    if link.verdict == "view":
        await database.transact(lambda tx: ballot.use_link(tx, link.tenant_id, used))
        review = await reviewing.reviews.show(link.tenant_id, link.approval_id)
        shown = json.dumps(review.arguments, ensure_ascii=False, indent=2)[:SHOWN_CHARACTERS_MAX]
        forms = "".join(
            _form(
                reviewing.links.make(
                    link.tenant_id, link.approval_id, link.reviewer, link.role, verdict, link.expires_us
                ),
                _ASKS[verdict],
                reason=verdict == "deny",
            )
            for verdict in _VERDICTS
        )
        return _page(f"{_facts(review)}<pre>{html.escape(shown)}</pre>{forms if review.state == 'pending' else ''}")
    if link.verdict == "approve":
        review = await reviewing.reviews.approve(link.tenant_id, link.approval_id, who, reason=reason, link=used)
    else:
        review = await reviewing.reviews.deny(link.tenant_id, link.approval_id, who, reason=reason, link=used)
    done = review.state if review.state != "pending" else "noted; another person must agree, too"
    return _page(f"<p>{html.escape(review.tool)}: {html.escape(done)}.</p>")


async def _form_of(request: Request) -> tuple[str, str]:
    """Return the token and the reason of a form; raises `limit_exceeded`, `unauthenticated`."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise AirsideError(Code.LIMIT_EXCEEDED, f"the form has more than {FORM_BYTES_MAX} bytes")
    try:
        fields = parse_qs(body.decode(), max_num_fields=4)
    except ValueError:
        raise AirsideError(Code.INVALID_REQUEST, "this is no form of airside") from None
    return fields.get("t", [""])[0], fields.get("reason", [""])[0]


def _facts(review: Review) -> str:
    rules = "".join(
        f"<li>{html.escape(reason['rule'])}: {html.escape(reason['because'])}</li>"
        for reason in review.decision["reasons"]
    )
    return (
        f"<p><b>{html.escape(review.agent)}</b> wants to call <b>{html.escape(review.tool)}</b> "
        f"(risk {review.risk}, {html.escape(review.approval_id)})</p><ul>{rules}</ul>"
    )


def _form(token: str, ask: str, *, reason: bool) -> str:
    said = '<p><input name="reason" maxlength="2000" placeholder="reason, told to the agent"></p>' if reason else ""
    return (
        f'<form method="post" action="{PAGE}"><input type="hidden" name="t" value="{html.escape(token)}">'
        f"{said}<button>{html.escape(ask)}</button></form>"
    )


def _refusal(error: AirsideError) -> HTMLResponse:
    said = f"<p>{html.escape(error.message)}. {html.escape(error.advice)}</p>"
    answer = _page(said, error.status)
    answer.headers["x-airside-code"] = error.code.value
    return answer


def _page(body: str, status: int = 200) -> HTMLResponse:
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>airside approval</title>'
    style = "<style>body{font:16px sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}</style>"
    return HTMLResponse(f"{head}{style}<body>{body}</body></html>", status, headers=HEADERS)


async def _now(tx: Transaction) -> int:
    return tx.now_us
