-- Statements over held calls and over what a run has come to.

-- name: held_calls
SELECT c.*, r.state AS run_state, r.attempt AS run_attempt, r.agent, r.release, r.subject, r.supervised
FROM calls c JOIN runs r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.state = 'held' ORDER BY c.opened_us LIMIT 1000

-- name: queue
-- What waits for somebody to look, the longest wait first, after the cursor (opened_us, call_id).
SELECT c.run_id, c.call_id, c.name, c.attempt, c.opened_us, r.agent
FROM runs r CROSS JOIN calls c
WHERE r.state = 'held' AND r.tenant_id = :tenant_id
    AND c.tenant_id = r.tenant_id AND c.run_id = r.run_id AND c.state = 'held'
    AND (c.opened_us > :after_us OR (c.opened_us = :after_us AND c.call_id > :after_id))
ORDER BY c.opened_us, c.call_id LIMIT :n

-- name: resolve
-- A person has looked: the call has an outcome now. `ok` is replayed, `transient` lets the agent's next try leave.
UPDATE calls SET state = :state, outcome = :outcome, code = :code, message = :message, closed_us = :now_us
WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id AND state = 'held'

-- name: add_answer
-- What a held call would have answered, as a person has found out.
INSERT INTO answers (tenant_id, call_id, content_id, sealed) VALUES (:tenant_id, :call_id, :content_id, :sealed)
ON CONFLICT DO NOTHING

-- name: effects
SELECT call_id, name, state, closed_us FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND kind = 'tool' AND effect <> 'read'
    AND state IN ('ok', 'error', 'open', 'held', 'lost') ORDER BY opened_us LIMIT 1000

-- name: last_words
-- The last that an attempt was told by models and tools, the latest first.
SELECT told.type, told.body FROM (
    SELECT e.entry_id, e.type, e.body FROM calls c CROSS JOIN entries e
    WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id
        AND e.tenant_id = c.tenant_id AND e.call_id = c.call_id AND e.type = 'call.outcome'
    UNION ALL
    SELECT entry_id, type, body FROM entries
    WHERE tenant_id = :tenant_id AND run_id = :run_id AND type NOT IN ('call.intent', 'call.outcome')
        AND type = 'call.refused'
) AS told
ORDER BY told.entry_id DESC LIMIT 20

-- name: last_answers
-- Answers of models, the latest first: the last ones may have called tools and said nothing.
SELECT k.content_id, k.sealed FROM calls c
JOIN answers k ON k.tenant_id = c.tenant_id AND k.call_id = c.call_id AND k.content_id = c.outcome
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.kind = 'model' AND c.state = 'ok'
ORDER BY c.closed_us DESC LIMIT 10
