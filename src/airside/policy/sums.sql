-- name: moved
-- How a sum stands.
SELECT moved FROM policy_sums WHERE tenant_id = :tenant_id AND name = :name AND period_start_us = :period_start_us

-- name: counted
-- What this very call has added before: it is not counted against itself.
SELECT name, amount FROM policy_counted WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id
