-- name: made
-- The latest calls of a run that have an outcome, with the answers of models among the last of them.
SELECT c.kind, c.name, c.request_hash, c.code, c.outcome, k.sealed
FROM calls c LEFT JOIN answers k ON c.kind = 'model' AND c.state = 'ok' AND k.tenant_id = c.tenant_id
    AND k.call_id = c.call_id AND k.content_id = c.outcome
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.state IN ('ok', 'error', 'denied')
ORDER BY c.opened_us DESC, c.call_id DESC LIMIT :n
