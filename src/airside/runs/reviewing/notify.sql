-- Statements over the outbox of what reviewers are told.

-- name: any_due
SELECT 1 AS one FROM approval_notices WHERE state = 'due' AND due_us <= :now_us LIMIT 1

-- name: take
-- Notices that are due, put off by a lease so that no other process sends them meanwhile.
UPDATE approval_notices SET due_us = :until_us, tries = tries + 1
WHERE (tenant_id, notice_id) IN
    (SELECT tenant_id, notice_id FROM approval_notices WHERE state = 'due' AND due_us <= :now_us ORDER BY due_us LIMIT :n)
RETURNING tenant_id, notice_id, approval_id, step, target, tries
-- name: take (postgres)
UPDATE approval_notices SET due_us = :until_us, tries = tries + 1
WHERE (tenant_id, notice_id) IN
    (SELECT tenant_id, notice_id FROM approval_notices WHERE state = 'due' AND due_us <= :now_us ORDER BY due_us LIMIT :n
     FOR UPDATE SKIP LOCKED)
RETURNING tenant_id, notice_id, approval_id, step, target, tries

-- name: done
UPDATE approval_notices SET state = :state, due_us = :due_us, last_error = :last_error
WHERE tenant_id = :tenant_id AND notice_id = :notice_id
