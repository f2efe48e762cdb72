-- name: call
-- A model call with whose it is, and its sealed answer, unless the client has deleted that.
SELECT c.call_id, c.run_id, c.state, c.outcome, r.agent, r.subject, k.sealed
FROM calls c
JOIN runs r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
JOIN answers k ON k.tenant_id = c.tenant_id AND k.call_id = c.call_id AND k.content_id = c.outcome
LEFT JOIN deleted_responses d ON d.tenant_id = c.tenant_id AND d.run_id = c.run_id AND d.call_id = c.call_id
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.call_id = :call_id
    AND c.kind = 'model' AND c.state = 'ok' AND d.call_id IS NULL

-- name: recent
-- The latest answers of a run, newest first.
SELECT c.call_id, c.outcome, k.sealed
FROM calls c
JOIN answers k ON k.tenant_id = c.tenant_id AND k.call_id = c.call_id AND k.content_id = c.outcome
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.kind = 'model' AND c.state = 'ok'
ORDER BY c.opened_us DESC, c.call_id DESC LIMIT :calls_max

-- name: intent
-- What was asked in a call: the entry that names the contents of its request.
SELECT body FROM entries
WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id AND type = :type
ORDER BY entry_id LIMIT 1

-- name: content
-- One sealed content.
SELECT sealed FROM contents WHERE tenant_id = :tenant_id AND subject = :subject AND content_id = :content_id

-- name: delete
-- Note that a response may not be referred to any more.
INSERT INTO deleted_responses (tenant_id, run_id, call_id, deleted_us)
VALUES (:tenant_id, :run_id, :call_id, :deleted_us)
ON CONFLICT (tenant_id, run_id, call_id) DO NOTHING
