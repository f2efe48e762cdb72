-- Statements over cases that people keep.

-- name: subject_of_run
SELECT subject FROM runs WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: kept
SELECT count(*) AS n FROM guard_cases WHERE tenant_id = :tenant_id

-- name: add
INSERT INTO guard_cases (tenant_id, case_id, created_us, created_by, subject, run_id, place, agent, expect, because,
    content_id, sealed)
VALUES (:tenant_id, :case_id, :created_us, :created_by, :subject, :run_id, :place, :agent, :expect, :because,
    :content_id, :sealed)

-- name: page
SELECT case_id, created_us, created_by, subject, run_id, place, agent, expect, because, content_id, sealed
FROM guard_cases
WHERE tenant_id = :tenant_id AND (created_us, case_id) > (:after_us, :after_id)
ORDER BY created_us, case_id LIMIT :n

-- name: remove
DELETE FROM guard_cases WHERE tenant_id = :tenant_id AND case_id = :case_id
