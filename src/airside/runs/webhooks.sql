-- Statements over the outbox of webhooks.

-- name: take
-- Deliveries that are due, put off by a lease so that no other process sends them meanwhile.
UPDATE webhooks SET due_us = :until_us, tries = tries + 1
WHERE (tenant_id, delivery_id) IN
    (SELECT tenant_id, delivery_id FROM webhooks WHERE state = 'due' AND due_us <= :now_us ORDER BY due_us LIMIT :n)
RETURNING tenant_id, delivery_id, run_id, url, body, tries
-- name: take (postgres)
UPDATE webhooks SET due_us = :until_us, tries = tries + 1
WHERE (tenant_id, delivery_id) IN
    (SELECT tenant_id, delivery_id FROM webhooks WHERE state = 'due' AND due_us <= :now_us ORDER BY due_us LIMIT :n
     FOR UPDATE SKIP LOCKED)
RETURNING tenant_id, delivery_id, run_id, url, body, tries

-- name: done
UPDATE webhooks SET state = :state, due_us = :due_us, last_error = :last_error
WHERE tenant_id = :tenant_id AND delivery_id = :delivery_id

-- name: of_run
SELECT delivery_id, state, tries, last_error, due_us FROM webhooks
WHERE tenant_id = :tenant_id AND run_id = :run_id ORDER BY delivery_id LIMIT 200

-- name: any_due
SELECT 1 AS one FROM webhooks WHERE state = 'due' AND due_us <= :now_us LIMIT 1
