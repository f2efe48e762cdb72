-- name: calls
-- Past tool calls that policy was asked about, the latest first: each intent or refusal with who made the call.
SELECT e.entry_id, e.run_id, e.call_id, e.type, e.at_us, e.body, r.agent, r.subject
FROM entries e JOIN runs r ON r.tenant_id = e.tenant_id AND r.run_id = e.run_id
WHERE e.tenant_id = :tenant_id AND e.entry_id < :before AND e.type IN ('call.intent', 'call.refused')
ORDER BY e.entry_id DESC LIMIT :n

-- name: call
-- One call's intents and refusals, the latest first.
SELECT e.entry_id, e.run_id, e.call_id, e.type, e.at_us, e.body, r.agent, r.subject
FROM entries e JOIN runs r ON r.tenant_id = e.tenant_id AND r.run_id = e.run_id
WHERE e.tenant_id = :tenant_id AND e.call_id = :call_id AND e.type IN ('call.intent', 'call.refused')
ORDER BY e.entry_id DESC

-- name: content
-- What a call was asked with, sealed.
SELECT sealed FROM contents WHERE tenant_id = :tenant_id AND subject = :subject AND content_id = :content_id
