-- What a run has seen and planned.

-- name: run
-- How the run began: its input, and whose words they are.
SELECT r.agent, r.subject, r.parent_run_id, r.supervised, r.principal, r.untrusted, c.sealed, r.input
FROM runs r LEFT JOIN contents c ON c.tenant_id = r.tenant_id AND c.subject = r.subject AND c.content_id = r.input
WHERE r.tenant_id = :tenant_id AND r.run_id = :run_id

-- name: closed
-- The tool calls of a run that have an outcome since an instant, in the order of their outcomes.
SELECT call_id, closed_us FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND kind = 'tool' AND state IN ('ok', 'error')
    AND closed_us >= :since_us
ORDER BY closed_us, call_id

-- name: call
-- One call with its answer, and the intent that names its arguments.
SELECT c.name, c.state, c.message, c.outcome, a.sealed, e.body
FROM calls c
    LEFT JOIN answers a ON a.tenant_id = c.tenant_id AND a.call_id = c.call_id AND a.content_id = c.outcome
    LEFT JOIN entries e ON e.tenant_id = c.tenant_id AND e.call_id = c.call_id AND e.type = 'call.intent'
WHERE c.tenant_id = :tenant_id AND c.call_id = :call_id
ORDER BY e.entry_id DESC LIMIT 1

-- name: content
SELECT sealed FROM contents WHERE tenant_id = :tenant_id AND subject = :subject AND content_id = :content_id

-- name: endorsed
SELECT e.content, e.approval_id, c.sealed FROM endorsements e
JOIN contents c ON c.tenant_id = e.tenant_id AND c.subject = :subject AND c.content_id = e.content
WHERE e.tenant_id = :tenant_id AND e.run_id = :run_id AND e.at_us >= :since_us ORDER BY e.at_us LIMIT 1000

-- name: plan
SELECT p.content, p.said_by, c.sealed FROM plans p
JOIN contents c ON c.tenant_id = p.tenant_id AND c.subject = :subject AND c.content_id = p.content
WHERE p.tenant_id = :tenant_id AND p.run_id = :run_id

-- name: lock_run
-- SQLite has one writer, so reading is locking. Counting uses and adding one are one thing.
SELECT run_id FROM runs WHERE tenant_id = :tenant_id AND run_id = :run_id
-- name: lock_run (postgres)
SELECT run_id FROM runs WHERE tenant_id = :tenant_id AND run_id = :run_id FOR UPDATE

-- name: uses
-- How often each step was used: by calls that began, and by those of this attempt that have not come that far.
SELECT u.step, count(*) AS n FROM plan_uses u
    LEFT JOIN calls c ON c.tenant_id = u.tenant_id AND c.call_id = u.call_id
WHERE u.tenant_id = :tenant_id AND u.run_id = :run_id AND u.call_id <> :call_id
    AND (c.state IN ('open', 'ok', 'error', 'held', 'lost') OR (c.call_id IS NULL AND u.attempt = :attempt))
GROUP BY u.step

-- name: use
INSERT INTO plan_uses (tenant_id, run_id, call_id, step, attempt)
VALUES (:tenant_id, :run_id, :call_id, :step, :attempt)
ON CONFLICT (tenant_id, run_id, call_id) DO UPDATE SET step = excluded.step, attempt = excluded.attempt
