-- Statements over tasks that runs have handed to other agents.

-- name: of_call
SELECT run_id FROM handoffs WHERE tenant_id = :tenant_id AND call_id = :call_id

-- name: depth
SELECT depth FROM handoffs WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: add
INSERT INTO handoffs (tenant_id, call_id, parent_run_id, run_id, tools, rules, depth, made_us)
VALUES (:tenant_id, :call_id, :parent_run_id, :run_id, :tools, :rules, :depth, :now_us)

-- name: unfinished
-- How many tasks of a run are still being done by others.
SELECT count(*) AS n FROM handoffs h JOIN runs r ON r.tenant_id = h.tenant_id AND r.run_id = h.run_id
WHERE h.tenant_id = :tenant_id AND h.parent_run_id = :run_id AND r.ended_us IS NULL

-- name: resumable
-- Runs that were parked for tasks all of which have ended.
SELECT p.tenant_id, p.run_id FROM runs p
WHERE p.state = 'parked' AND p.code = 'handed_off' AND NOT EXISTS (
    SELECT 1 FROM handoffs h JOIN runs r ON r.tenant_id = h.tenant_id AND r.run_id = h.run_id
    WHERE h.tenant_id = p.tenant_id AND h.parent_run_id = p.run_id AND r.ended_us IS NULL)
ORDER BY p.tenant_id, p.run_id LIMIT 200

-- name: abandoned
-- Runs that do a task for a run that has ended, so that nobody waits for them any more.
SELECT r.tenant_id, r.run_id FROM runs r
    JOIN runs p ON p.tenant_id = r.tenant_id AND p.run_id = r.parent_run_id
WHERE r.state IN ('queued', 'running', 'waiting_approval', 'parked', 'held') AND r.suspend IS NULL
    AND (p.ended_us IS NOT NULL OR p.suspend = 'cancelled')
ORDER BY r.tenant_id, r.run_id LIMIT 200
