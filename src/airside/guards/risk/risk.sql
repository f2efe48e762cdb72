-- Statements over what guards have found in runs.

-- name: raise
INSERT INTO run_risks (tenant_id, run_id, guard, findings, score, updated_us)
VALUES (:tenant_id, :run_id, :guard, :findings, :score, :now_us)
ON CONFLICT (tenant_id, run_id, guard) DO UPDATE SET
    findings = run_risks.findings + excluded.findings,
    score = CASE WHEN excluded.score > run_risks.score THEN excluded.score ELSE run_risks.score END,
    updated_us = excluded.updated_us

-- name: of_run
-- A task that was handed on is as risky as the run that it came from, and that run as what came of it.
WITH RECURSIVE above(run_id) AS (
    SELECT CAST(:run_id AS TEXT)
    UNION SELECT h.parent_run_id FROM handoffs h JOIN above a ON h.run_id = a.run_id WHERE h.tenant_id = :tenant_id
), below(run_id) AS (
    SELECT CAST(:run_id AS TEXT)
    UNION SELECT h.run_id FROM handoffs h JOIN below b ON h.parent_run_id = b.run_id WHERE h.tenant_id = :tenant_id
)
SELECT guard, sum(findings) AS findings, max(score) AS score FROM run_risks
WHERE tenant_id = :tenant_id
    AND run_id IN (SELECT above.run_id FROM above UNION SELECT below.run_id FROM below)
GROUP BY guard ORDER BY guard
