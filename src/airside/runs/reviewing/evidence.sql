-- What a run had done before an instant.

-- name: model
-- The last answer of a model.
SELECT c.outcome, k.sealed FROM calls c LEFT JOIN answers k ON k.tenant_id = c.tenant_id
    AND k.call_id = c.call_id AND k.content_id = c.outcome
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.kind = 'model' AND c.state = 'ok'
    AND c.closed_us <= :before_us
ORDER BY c.closed_us DESC, c.call_id DESC LIMIT 1

-- name: calls
-- The latest calls of tools, with the intent that names their arguments.
SELECT c.call_id, c.name, c.state, c.opened_us, c.outcome, k.sealed,
    (SELECT e.body FROM entries e WHERE e.tenant_id = c.tenant_id AND e.call_id = c.call_id
        AND e.type = 'call.intent' ORDER BY e.entry_id DESC LIMIT 1) AS body
FROM calls c LEFT JOIN answers k ON k.tenant_id = c.tenant_id
    AND k.call_id = c.call_id AND k.content_id = c.outcome
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.kind = 'tool' AND c.state IN ('ok', 'error', 'denied', 'held')
    AND c.opened_us <= :before_us
ORDER BY c.opened_us DESC, c.call_id DESC LIMIT :n

-- name: task
SELECT r.input, k.sealed FROM runs r JOIN contents k ON k.tenant_id = r.tenant_id AND k.subject = r.subject
    AND k.content_id = r.input
WHERE r.tenant_id = :tenant_id AND r.run_id = :run_id
