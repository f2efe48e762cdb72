-- Statements over attempts, leases and the calls that an attempt leaves behind.

-- name: unfinished_calls
-- Calls of a run that have no final outcome.
SELECT call_id, state, effect, idempotent, executor_id FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND state IN ('open', 'held')

-- name: answered_calls
-- What a run has achieved, roughly.
SELECT COUNT(*) AS n FROM calls WHERE tenant_id = :tenant_id AND run_id = :run_id AND state = 'ok'

-- name: unconsumed_effects
SELECT count(*) AS n FROM calls WHERE tenant_id = :tenant_id AND run_id = :run_id AND effect <> 'read'
    AND state IN ('open', 'ok', 'error', 'held') AND consumed < :attempt

-- name: started
SELECT started_us, lease_until_us FROM attempts WHERE tenant_id = :tenant_id AND run_id = :run_id AND attempt = :attempt

-- name: renew_executor
INSERT INTO executors (executor_id, kind, releases, lease_until_us)
VALUES (:executor_id, :kind, :releases, :lease_until_us)
ON CONFLICT (executor_id) DO UPDATE SET releases = excluded.releases, lease_until_us = excluded.lease_until_us

-- name: end_executor
DELETE FROM executors WHERE executor_id = :executor_id

-- name: renew_attempts
-- The attempts that a worker executes, by their runs.
UPDATE attempts SET lease_until_us = :lease_until_us
WHERE worker_id = :worker_id AND ended_us IS NULL AND run_id IN (SELECT value FROM json_each(:runs))

-- name: renew_attempts (postgres)
UPDATE attempts SET lease_until_us = :lease_until_us
WHERE worker_id = :worker_id AND ended_us IS NULL
    AND run_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:runs AS jsonb))))

-- name: live_attempts
SELECT a.tenant_id, a.run_id, a.attempt FROM attempts a WHERE a.worker_id = :worker_id AND a.ended_us IS NULL

-- name: stopping
-- Runs of a worker whose attempt is to end.
SELECT r.* FROM attempts a JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
WHERE a.worker_id = :worker_id AND a.ended_us IS NULL AND r.suspend IS NOT NULL

-- name: expired
SELECT tenant_id, run_id, attempt FROM attempts
WHERE ended_us IS NULL AND lease_until_us < :now_us ORDER BY lease_until_us LIMIT 100

-- name: advertised
SELECT kind, releases FROM executors WHERE lease_until_us >= :now_us

-- name: forget_executors
DELETE FROM executors WHERE lease_until_us < :before_us

-- name: waiting_for_release
SELECT DISTINCT tenant_id, agent, release FROM runs WHERE state = 'queued'

-- name: queued_of_release
SELECT tenant_id, run_id FROM runs
WHERE state = 'queued' AND tenant_id = :tenant_id AND agent = :agent AND release = :release
ORDER BY run_id LIMIT 100

-- name: parked
SELECT * FROM runs WHERE state = 'parked' AND ready_us <= :now_us AND code NOT IN ('breaker_open', 'handed_off')
ORDER BY ready_us LIMIT 200

-- name: orphans
-- Open calls whose executor is dead: a process without a lease, or an attempt that has ended.
SELECT c.*, r.state AS run_state, r.attempt AS run_attempt, r.agent, r.release, r.subject, r.supervised
FROM calls c JOIN runs r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
WHERE c.state = 'open'
    AND NOT EXISTS (SELECT 1 FROM executors e WHERE e.executor_id = c.executor_id AND e.lease_until_us >= :now_us)
    AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.tenant_id = c.tenant_id AND a.run_id = c.run_id
        AND a.attempt = c.attempt AND a.ended_us IS NULL AND a.lease_until_us >= :now_us
        AND c.executor_id = 'attempt:' || c.run_id || '/' || CAST(c.attempt AS TEXT))
    AND NOT (r.state NOT IN ('succeeded', 'partial', 'failed', 'escalated', 'cancelled', 'diverged')
        AND c.effect <> 'read' AND c.idempotent = 1)
LIMIT 200

-- name: orphans_of_attempt
-- Open calls that an attempt executed itself; asked once its process is gone.
SELECT c.*, r.state AS run_state, r.attempt AS run_attempt, r.agent, r.release, r.subject, r.supervised
FROM calls c JOIN runs r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.state = 'open' AND c.executor_id = :executor_id
LIMIT 1000
