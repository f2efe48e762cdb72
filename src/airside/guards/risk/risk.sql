-- Statements over what guards have found in runs.

-- name: raise
INSERT INTO run_risks (tenant_id, run_id, guard, findings, score, updated_us)
VALUES (:tenant_id, :run_id, :guard, :findings, :score, :now_us)
ON CONFLICT (tenant_id, run_id, guard) DO UPDATE SET
    findings = run_risks.findings + excluded.findings,
    score = CASE WHEN excluded.score > run_risks.score THEN excluded.score ELSE run_risks.score END,
    updated_us = excluded.updated_us

-- name: of_run
SELECT guard, findings, score FROM run_risks WHERE tenant_id = :tenant_id AND run_id = :run_id ORDER BY guard
