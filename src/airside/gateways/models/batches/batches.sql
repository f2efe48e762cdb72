-- Statements over provider batches.

-- name: add
INSERT INTO batches (tenant_id, batch_id, run_id, provider, model, price_share, items, digest, state, code, upstream_id,
    cancelled, made_us, due_us, lease_us)
VALUES (:tenant_id, :batch_id, :run_id, :provider, :model, :price_share, :items, :digest, 'opening', '', '',
    0, :now_us, :due_us, :due_us)
ON CONFLICT (tenant_id, batch_id) DO NOTHING

-- name: get
SELECT * FROM batches WHERE tenant_id = :tenant_id AND batch_id = :batch_id

-- name: drop
DELETE FROM batches WHERE tenant_id = :tenant_id AND batch_id = :batch_id AND state = 'opening'

-- name: sending
UPDATE batches SET state = 'sending', due_us = :due_us, lease_us = :due_us
WHERE tenant_id = :tenant_id AND batch_id = :batch_id AND state = 'opening'

-- name: sent
UPDATE batches SET state = 'working', upstream_id = :upstream_id, due_us = :due_us, lease_us = 0
WHERE tenant_id = :tenant_id AND batch_id = :batch_id AND state = 'sending'

-- name: end
UPDATE batches SET state = 'ended', code = :code, lease_us = 0 WHERE tenant_id = :tenant_id AND batch_id = :batch_id

-- name: call_off
UPDATE batches SET cancelled = 1, due_us = :now_us WHERE tenant_id = :tenant_id AND batch_id = :batch_id
    AND state = 'working'

-- name: due
-- Batches that somebody should look at, whether to ask the provider or because whoever made them is gone.
SELECT b.*, r.state AS run_state FROM batches b
JOIN runs r ON r.tenant_id = b.tenant_id AND r.run_id = b.run_id
WHERE b.state <> 'ended' AND b.due_us <= :now_us AND b.lease_us <= :now_us ORDER BY b.due_us LIMIT 20

-- name: lease
-- One process at a time looks after a batch; a state that changed meanwhile is another's work.
UPDATE batches SET lease_us = :lease_us WHERE tenant_id = :tenant_id AND batch_id = :batch_id AND state = :state
    AND lease_us <= :now_us

-- name: later
UPDATE batches SET due_us = :due_us, lease_us = 0 WHERE tenant_id = :tenant_id AND batch_id = :batch_id
    AND state = 'working'

-- name: calls
SELECT c.*, r.agent, r.release, r.subject, r.supervised FROM calls c
JOIN runs r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.call_id > :after ORDER BY c.call_id LIMIT 500

-- name: answers
SELECT c.call_id, c.state, c.code, c.message, c.cost_nanousd, c.tokens, r.subject, c.outcome, s.sealed FROM calls c
JOIN runs r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
LEFT JOIN answers s ON s.tenant_id = c.tenant_id AND s.call_id = c.call_id AND s.content_id = c.outcome
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.call_id > :after ORDER BY c.call_id LIMIT 500

-- name: counts
SELECT state, count(*) AS n FROM calls WHERE tenant_id = :tenant_id AND run_id = :run_id GROUP BY state
