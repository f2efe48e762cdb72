-- Statements that only read, for the management API.

-- name: nodes
-- Budget nodes by id.
SELECT * FROM budgets WHERE tenant_id = :tenant_id AND node IN (SELECT value FROM json_each(:nodes));

-- name: nodes (postgres)
SELECT * FROM budgets
WHERE tenant_id = :tenant_id AND node = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:nodes AS jsonb))));

-- name: nodes_above_runs
-- Nodes of the tenant, its business units and workflows, in the order of their ids, in pages.
SELECT * FROM budgets WHERE tenant_id = :tenant_id AND node NOT LIKE 'run:%' AND node > :after
ORDER BY node LIMIT :rows_max;

-- name: calls
-- A run's calls in the order in which they were made, strictly after the cursor (opened_us, call_id).
SELECT call_id, kind, name, effect, state, occurrence, attempt, try_number, reserved_nanousd, cost_nanousd, tokens,
    upstream, code, message, approval_id, edited, opened_us, closed_us
FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id
    AND (opened_us > :after_us OR (opened_us = :after_us AND call_id > :after_id))
ORDER BY opened_us, call_id LIMIT :rows_max;

-- name: entries_of_calls
-- What the journal says of calls, in the order in which it was written.
SELECT call_id, body FROM entries
WHERE tenant_id = :tenant_id AND call_id IN (SELECT value FROM json_each(:calls)) ORDER BY entry_id;

-- name: entries_of_calls (postgres)
SELECT call_id, body FROM entries
WHERE tenant_id = :tenant_id AND call_id = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:calls AS jsonb))))
ORDER BY entry_id;
