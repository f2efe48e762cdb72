-- name: runs
-- The latest runs of an agent.
SELECT run_id, subject FROM runs
WHERE tenant_id = :tenant_id AND agent = :agent AND created_us >= :since_us ORDER BY created_us DESC LIMIT :n

-- name: entries
-- What a run's calls sent and what they took, in their order.
SELECT e.call_id, e.type, e.body FROM calls c CROSS JOIN entries e -- which has SQLite begin with the run's calls
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id
    AND e.tenant_id = c.tenant_id AND e.call_id = c.call_id AND e.type IN ('call.intent', 'call.outcome')
ORDER BY e.entry_id LIMIT :n

-- name: contents
-- Sealed contents by their names.
SELECT content_id, sealed FROM contents
WHERE tenant_id = :tenant_id AND subject = :subject
    AND lower(hex(content_id)) IN (SELECT value FROM json_each(:names))
-- name: contents (postgres)
SELECT content_id, sealed FROM contents
WHERE tenant_id = :tenant_id AND subject = :subject
    AND content_id = ANY (ARRAY(SELECT decode(jsonb_array_elements_text(CAST(:names AS jsonb)), 'hex')))

-- name: answers
-- Sealed answers of a run's model calls.
SELECT k.content_id, k.sealed FROM calls c
JOIN answers k ON k.tenant_id = c.tenant_id AND k.call_id = c.call_id AND k.content_id = c.outcome
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.kind = 'model' AND c.state = 'ok' LIMIT :n
