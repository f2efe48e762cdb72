-- name: add_run
-- A running run.
INSERT INTO runs (tenant_id, run_id, agent, release, subject, state, version, priority, supervised, attempt, crashes,
    input, code, message, labels, budget_path, wall_us_max, running_us, created_us, ready_us)
VALUES (:tenant_id, :run_id, 'shop', 'rel_1', 'sub', 'running', 1, 0, 1, :attempt, 0, :input, '', '', '{}',
    :budget_path, 300000000, 0, 1, 1)

-- name: add_attempt
-- A live attempt.
INSERT INTO attempts (tenant_id, run_id, attempt, worker_id, token_hash, lease_until_us, started_us)
VALUES (:tenant_id, :run_id, :attempt, 'w1', :token_hash, :lease_until_us, 1)

-- name: end_attempt
-- The attempt is over.
UPDATE attempts SET ended_us = 2 WHERE tenant_id = :tenant_id AND run_id = :run_id AND attempt = :attempt

-- name: set_run
-- Move a run.
UPDATE runs SET state = :state, attempt = :attempt, code = :code WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: add_budget
-- A node without limits unless given.
INSERT INTO budgets (tenant_id, node, limit_nanousd, limit_tokens, limit_calls, limit_turn_tool_calls, spent_nanousd,
    spent_tokens, spent_calls, turn_tool_calls, reserved_nanousd, reserved_tokens, reserved_calls)
VALUES (:tenant_id, :node, :nanousd, :tokens, :calls, :turn_tool_calls, 0, 0, 0, 0, 0, 0, 0)
ON CONFLICT (tenant_id, node) DO NOTHING

-- name: set_limit
-- Change a node's dollars.
UPDATE budgets SET limit_nanousd = :nanousd WHERE tenant_id = :tenant_id AND node = :node

-- name: budget
-- One node.
SELECT * FROM budgets WHERE tenant_id = :tenant_id AND node = :node

-- name: call
-- One call.
SELECT * FROM calls WHERE tenant_id = :tenant_id AND call_id = :call_id

-- name: calls
-- Every call.
SELECT * FROM calls ORDER BY call_id

-- name: entries
-- Every entry.
SELECT * FROM entries ORDER BY entry_id

-- name: contents
-- Every content.
SELECT * FROM contents ORDER BY content_id

-- name: set_executor
-- The lease of an executor.
INSERT INTO executors (executor_id, kind, releases, lease_until_us)
VALUES (:executor_id, 'gateway', '[]', :lease_until_us)
ON CONFLICT (executor_id) DO UPDATE SET lease_until_us = excluded.lease_until_us

-- name: add_approval
-- An approval.
INSERT INTO approvals (tenant_id, approval_id, run_id, call_id, tool, request_hash, canonical_version, arguments,
    decision, state, claimed, reason, decided_by, requested_us, decide_by_us, use_by_us, consumed_by)
VALUES (:tenant_id, :approval_id, :run_id, 'c', :tool, :request_hash, 1, :request_hash, '{}', :state, 0, '', '', 1, 1,
    :use_by_us, '')

-- name: approval
-- One approval.
SELECT * FROM approvals WHERE tenant_id = :tenant_id AND approval_id = :approval_id

-- name: add_tenant
-- A row with a primary key, for transactions.
INSERT INTO tenants (tenant_id, time_zone, created_us) VALUES (:tenant_id, :time_zone, 1)

-- name: tenants
-- Every tenant.
SELECT tenant_id, time_zone FROM tenants ORDER BY tenant_id

-- name: set_input
-- The content id of a run's task.
UPDATE runs SET input = :input WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: set_content
-- Tamper with a content.
UPDATE contents SET sealed = :sealed WHERE content_id = :content_id

-- name: destroy_key
-- Erase a subject.
UPDATE subject_keys SET wrapped = x'' WHERE subject = :subject

-- name: destroy_key (postgres)
UPDATE subject_keys SET wrapped = ''::bytea WHERE subject = :subject

-- name: migrations
-- What was applied.
SELECT number, name FROM schema_migrations ORDER BY number

-- name: copy_key
-- Give one subject's key to another.
INSERT INTO subject_keys (tenant_id, subject, wrapped, created_us)
SELECT tenant_id, :target, wrapped, created_us FROM subject_keys WHERE subject = :source
