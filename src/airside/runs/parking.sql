-- Statements over runs that are parked until a breaker closes.

-- name: wait
-- Earlier waits of the run stay counted.
INSERT INTO parked (tenant_id, run_id, breaker_tenant_id, breaker, since_us, parked_us)
VALUES (:tenant_id, :run_id, :breaker_tenant_id, :breaker, :now_us, 0)
ON CONFLICT (tenant_id, run_id) DO UPDATE SET breaker_tenant_id = excluded.breaker_tenant_id,
    breaker = excluded.breaker, since_us = excluded.since_us

-- name: breakers
-- The breakers that parked runs wait for, with how many wait; one without a row has never opened, or is forgotten.
SELECT p.breaker_tenant_id, p.breaker, count(*) AS n FROM parked p
    JOIN runs r ON r.tenant_id = p.tenant_id AND r.run_id = p.run_id
WHERE r.state = 'parked' AND r.code = 'breaker_open' GROUP BY p.breaker_tenant_id, p.breaker

-- name: take
-- Whoever moves the mark lets the next runs go; all other processes come too late. A mark far ahead is of a clock that
-- has gone back since.
UPDATE breakers SET resumed_us = :now_us
WHERE tenant_id = :breaker_tenant_id AND name = :breaker
    AND (resumed_us <= :before_us OR resumed_us > :ahead_us)

-- name: breaker
SELECT state, forced, due_us, opened_us, probe_until_us, resumed_us FROM breakers
WHERE tenant_id = :breaker_tenant_id AND name = :breaker

-- name: waiting
-- The runs that wait for a breaker, longest wait first.
SELECT p.tenant_id, p.run_id FROM parked p JOIN runs r ON r.tenant_id = p.tenant_id AND r.run_id = p.run_id
WHERE p.breaker_tenant_id = :breaker_tenant_id AND p.breaker = :breaker AND r.state = 'parked'
    AND r.code = 'breaker_open'
ORDER BY p.since_us, p.run_id LIMIT :n

-- name: resumed
-- A clock that went back makes no wait negative.
UPDATE parked SET parked_us = parked_us + CASE WHEN :now_us > since_us THEN :now_us - since_us ELSE 0 END,
    since_us = :now_us
WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: overdue
-- Runs that have waited longer than they may, all their waits together.
SELECT p.tenant_id, p.run_id, p.breaker FROM parked p
    JOIN runs r ON r.tenant_id = p.tenant_id AND r.run_id = p.run_id
WHERE r.state = 'parked' AND r.code = 'breaker_open' AND p.parked_us + :now_us - p.since_us >= :park_us_max
ORDER BY p.since_us LIMIT 100

-- name: forget
DELETE FROM parked WHERE EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = parked.tenant_id AND r.run_id = parked.run_id
    AND r.state IN ('succeeded', 'partial', 'failed', 'escalated', 'cancelled', 'diverged'))
