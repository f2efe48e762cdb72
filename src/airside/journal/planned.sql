-- The plans of runs.

-- name: commit
INSERT INTO plans (tenant_id, run_id, content, said_by, committed_us)
VALUES (:tenant_id, :run_id, :content, :said_by, :now_us)
ON CONFLICT (tenant_id, run_id) DO NOTHING

-- name: committed
SELECT content FROM plans WHERE tenant_id = :tenant_id AND run_id = :run_id
