-- Statements over kills.

-- name: in_force
SELECT tenant_id, scope, name, reason FROM kills

-- name: list
SELECT * FROM kills WHERE tenant_id = :tenant_id OR tenant_id = '' ORDER BY set_us

-- name: set
INSERT INTO kills (tenant_id, scope, name, reason, set_by, set_us)
VALUES (:tenant_id, :scope, :name, :reason, :set_by, :set_us)
ON CONFLICT (tenant_id, scope, name) DO NOTHING

-- name: run
SELECT run_id FROM runs WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: lift
DELETE FROM kills WHERE tenant_id = :tenant_id AND scope = :scope AND name = :name

-- name: affected
-- Runs that a kill ends: everything alive in its scope, a page at a time. Empty parameters match everything.
SELECT tenant_id, run_id FROM runs
WHERE state IN ('queued', 'running', 'waiting_approval', 'parked', 'held')
    AND (CAST(:tenant_id AS TEXT) = '' OR tenant_id = :tenant_id)
    AND (CAST(:agent AS TEXT) = '' OR agent = :agent) AND (CAST(:run_id AS TEXT) = '' OR run_id = :run_id)
    AND (tenant_id > :after_tenant OR (tenant_id = :after_tenant AND run_id > :after_run))
ORDER BY tenant_id, run_id LIMIT :n
