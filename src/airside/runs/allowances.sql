-- Statements over what people set about budgets, and over the nodes of periods.

-- name: plans
-- Limits set by people; there are few.
SELECT * FROM budget_limits ORDER BY tenant_id, scope LIMIT 10000

-- name: plan
SELECT * FROM budget_limits WHERE tenant_id = :tenant_id AND scope = :scope

-- name: set_plan
INSERT INTO budget_limits (tenant_id, scope, period, carry_over, limit_nanousd, limit_tokens, limit_calls, set_by, set_us)
VALUES (:tenant_id, :scope, :period, :carry_over, :limit_nanousd, :limit_tokens, :limit_calls, :set_by, :set_us)
ON CONFLICT (tenant_id, scope) DO UPDATE SET period = excluded.period, carry_over = excluded.carry_over,
    limit_nanousd = excluded.limit_nanousd, limit_tokens = excluded.limit_tokens, limit_calls = excluded.limit_calls,
    set_by = excluded.set_by, set_us = excluded.set_us

-- name: clear_plan
DELETE FROM budget_limits WHERE tenant_id = :tenant_id AND scope = :scope

-- name: count_plans
SELECT count(*) AS n FROM budget_limits WHERE tenant_id = :tenant_id

-- name: lock_node
-- SQLite has one writer, so reading is locking.
SELECT * FROM budgets WHERE tenant_id = :tenant_id AND node = :node
-- name: lock_node (postgres)
SELECT * FROM budgets WHERE tenant_id = :tenant_id AND node = :node FOR UPDATE

-- name: put_limits
-- The limits of a node, which is made if it is not there; what is spent and reserved stays.
INSERT INTO budgets (tenant_id, node, limit_nanousd, limit_tokens, limit_calls, limit_turn_tool_calls,
    spent_nanousd, spent_tokens, spent_calls, turn_tool_calls, reserved_nanousd, reserved_tokens, reserved_calls)
VALUES (:tenant_id, :node, :limit_nanousd, :limit_tokens, :limit_calls, :limit_turn_tool_calls, 0, 0, 0, 0, 0, 0, 0)
ON CONFLICT (tenant_id, node) DO UPDATE SET limit_nanousd = excluded.limit_nanousd,
    limit_tokens = excluded.limit_tokens, limit_calls = excluded.limit_calls

-- name: add_dollars
-- Raise (or, with a negative amount, lower) what a node allows. One without a limit of dollars stays without.
UPDATE budgets SET limit_nanousd = limit_nanousd + :nanousd
WHERE tenant_id = :tenant_id AND node = :node AND limit_nanousd + :nanousd <= :limit_max

-- name: add_credit
INSERT INTO budget_credits (tenant_id, credit_id, node, nanousd, note, given_by, given_us)
VALUES (:tenant_id, :credit_id, :node, :nanousd, :note, :given_by, :given_us)
ON CONFLICT (tenant_id, credit_id) DO NOTHING

-- name: credit
SELECT * FROM budget_credits WHERE tenant_id = :tenant_id AND credit_id = :credit_id

-- name: credits
-- What was added to the nodes of one scope, the latest first, strictly before the cursor (given_us, credit_id).
SELECT * FROM budget_credits
WHERE tenant_id = :tenant_id AND (node = :scope OR substr(node, 1, length(:scope) + 1) = :scope || '@')
    AND (given_us < :before_us OR (given_us = :before_us AND credit_id < :before_id))
ORDER BY given_us DESC, credit_id DESC LIMIT :n

-- name: credited
-- What was added to the dollars of one node.
SELECT CAST(coalesce(sum(nanousd), 0) AS BIGINT) AS nanousd FROM budget_credits
WHERE tenant_id = :tenant_id AND node = :node

-- name: nodes_above_runs
-- Every node above runs, of any period; read at start. A colon is followed by a semicolon in the order of bytes.
SELECT b.node, b.limit_nanousd, b.limit_tokens, b.limit_calls,
    (SELECT CAST(coalesce(sum(c.nanousd), 0) AS BIGINT) FROM budget_credits c
     WHERE c.tenant_id = b.tenant_id AND c.node = b.node) AS credited
FROM budgets b
WHERE b.tenant_id = :tenant_id AND (b.node >= 'customer:' AND b.node < 'customer;' OR b.node >= 'tenant:'
    AND b.node < 'tenant;' OR b.node >= 'unit:' AND b.node < 'unit;' OR b.node >= 'workflow:' AND b.node < 'workflow;')
-- name: nodes_above_runs (postgres)
SELECT b.node, b.limit_nanousd, b.limit_tokens, b.limit_calls,
    (SELECT CAST(coalesce(sum(c.nanousd), 0) AS BIGINT) FROM budget_credits c
     WHERE c.tenant_id = b.tenant_id AND c.node = b.node) AS credited
FROM budgets b
WHERE b.tenant_id = :tenant_id AND b.node NOT LIKE 'run:%'

-- name: reached
-- A level of a limit is reached; the first to say so is the one who tells it.
INSERT INTO budget_levels (tenant_id, node, dimension, level, limit_amount, spent, at_us)
VALUES (:tenant_id, :node, :dimension, :level, :limit_amount, :spent, :at_us)
ON CONFLICT (tenant_id, node, dimension, level, limit_amount) DO NOTHING
