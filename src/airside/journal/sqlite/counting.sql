-- name: moved
-- How a sum stands.
SELECT moved FROM policy_sums WHERE tenant_id = :tenant_id AND name = :name AND period_start_us = :period_start_us

-- name: counted
-- What a call has added already.
SELECT name, period_start_us, amount FROM policy_counted
WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id

-- name: add
-- Add to a sum, or give back.
INSERT INTO policy_sums (tenant_id, name, period_start_us, moved)
VALUES (:tenant_id, :name, :period_start_us, max(0, :amount))
ON CONFLICT DO UPDATE SET moved = max(0, min(moved + :amount, 4611686018427387904))

-- name: note
-- Remember what a call has added.
INSERT INTO policy_counted (tenant_id, run_id, call_id, name, period_start_us, amount)
VALUES (:tenant_id, :run_id, :call_id, :name, :period_start_us, :amount)

-- name: forget
-- Nothing can change any more about what a call did.
DELETE FROM policy_counted WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id
