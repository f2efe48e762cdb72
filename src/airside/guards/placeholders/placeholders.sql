-- Statements over the placeholders of runs.

-- name: lock
-- SQLite has one writer at a time.
SELECT :tenant_id AS tenant_id, :run_id AS run_id
-- name: lock (postgres)
-- Whoever names values of the same run meanwhile waits, so that numbers have no gaps and no value has two names.
SELECT pg_advisory_xact_lock(hashtextextended('airside placeholders ' || :tenant_id || '/' || :run_id, 0))

-- name: of_value
SELECT kind, number FROM placeholders WHERE tenant_id = :tenant_id AND run_id = :run_id AND name = :name

-- name: given
SELECT kind, count(*) AS n, max(number) AS last FROM placeholders
WHERE tenant_id = :tenant_id AND run_id = :run_id GROUP BY kind

-- name: add
INSERT INTO placeholders (tenant_id, run_id, kind, number, name, sealed, created_us)
VALUES (:tenant_id, :run_id, :kind, :number, :name, :sealed, :now_us)

-- name: all
SELECT kind, number, name, sealed FROM placeholders WHERE tenant_id = :tenant_id AND run_id = :run_id
ORDER BY kind, number LIMIT :limit
