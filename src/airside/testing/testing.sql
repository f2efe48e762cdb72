-- name: add_run
-- A running run with the given attempt.
INSERT INTO runs (tenant_id, run_id, agent, release, subject, state, version, priority, supervised, attempt, crashes,
    input, code, message, labels, budget_path, wall_us_max, running_us, created_us, ready_us)
VALUES (:tenant_id, :run_id, :agent, 'rel_testing', :subject, 'running', 1, 0, :supervised, 1, 0, :input, '', '', '{}',
    :budget_path, 300000000, 0, :now_us, :now_us)

-- name: add_attempt
-- A live attempt.
INSERT INTO attempts (tenant_id, run_id, attempt, worker_id, token_hash, lease_until_us, started_us)
VALUES (:tenant_id, :run_id, :attempt, 'testing', :token_hash, :lease_until_us, :now_us)

-- name: end_attempts
-- Every attempt of a run is over.
UPDATE attempts SET ended_us = :now_us WHERE tenant_id = :tenant_id AND run_id = :run_id AND ended_us IS NULL

-- name: set_attempt
-- The run's newest attempt.
UPDATE runs SET attempt = :attempt WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: add_budget
-- A budget node.
INSERT INTO budgets (tenant_id, node, limit_nanousd, limit_tokens, limit_calls, limit_turn_tool_calls, spent_nanousd,
    spent_tokens, spent_calls, turn_tool_calls, reserved_nanousd, reserved_tokens, reserved_calls)
VALUES (:tenant_id, :node, :nanousd, :tokens, :calls, :turn_tool_calls, 0, 0, 0, 0, 0, 0, 0)
ON CONFLICT (tenant_id, node) DO NOTHING

-- name: budget
-- What a node has spent and reserved.
SELECT spent_nanousd, spent_tokens, spent_calls, reserved_nanousd, reserved_tokens, reserved_calls
FROM budgets WHERE tenant_id = :tenant_id AND node = :node

-- name: set_executor
-- The lease of an executor.
INSERT INTO executors (executor_id, kind, releases, lease_until_us)
VALUES (:executor_id, 'gateway', '[]', :lease_until_us)
ON CONFLICT (executor_id) DO UPDATE SET lease_until_us = excluded.lease_until_us

-- name: calls
-- Every call of a run in the order they were opened.
SELECT call_id, kind, name, state, occurrence, consumed, delivered, attempt, try_number, approval_id, edited, code,
       message, cost_nanousd, tokens, reserved_nanousd
FROM calls WHERE tenant_id = :tenant_id AND run_id = :run_id ORDER BY opened_us, call_id

-- name: entries
-- Every entry of a run in order.
SELECT type, call_id, body FROM entries WHERE tenant_id = :tenant_id AND run_id = :run_id ORDER BY entry_id

-- name: add_approval
-- A decided approval, so that the journal can consume it.
INSERT INTO approvals (tenant_id, approval_id, run_id, call_id, tool, request_hash, canonical_version, arguments,
    decision, state, claimed, reason, decided_by, requested_us, decide_by_us, use_by_us, consumed_by)
VALUES (:tenant_id, :approval_id, :run_id, :call_id, :tool, :request_hash, 1, :request_hash, '{}', :state, 0, :reason,
    'testing', :now_us, :use_by_us, :use_by_us, '')
