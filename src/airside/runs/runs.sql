-- Statements over runs: rows, transitions, admission, idempotency keys, events.

-- name: insert
-- A new run. Its row is the promise that it will be executed.
INSERT INTO runs (tenant_id, run_id, parent_run_id, agent, release, subject, state, suspend, version, priority,
    supervised, attempt, crashes, input, result, code, message, labels, budget_path, wall_us_max, running_us,
    created_us, ready_us, started_us, ended_us, webhook_url, principal, untrusted, caller)
VALUES (:tenant_id, :run_id, :parent_run_id, :agent, :release, :subject, :state, :suspend, :version, :priority,
    :supervised, :attempt, :crashes, :input, :result, :code, :message, :labels, :budget_path, :wall_us_max, :running_us,
    :created_us, :ready_us, :started_us, :ended_us, :webhook_url, :principal, :untrusted, :caller)

-- name: get
SELECT * FROM runs WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: lock
-- SQLite has one writer, so reading is locking.
SELECT * FROM runs WHERE tenant_id = :tenant_id AND run_id = :run_id
-- name: lock (postgres)
SELECT * FROM runs WHERE tenant_id = :tenant_id AND run_id = :run_id FOR UPDATE

-- name: save
-- Everything about a run that can change, written under its lock.
UPDATE runs SET state = :state, suspend = :suspend, version = :version, attempt = :attempt, crashes = :crashes,
    release = :release, result = :result, code = :code, message = :message, running_us = :running_us,
    ready_us = :ready_us, started_us = :started_us, ended_us = :ended_us
WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: ask_to_stop
UPDATE runs SET suspend = :suspend, code = :code, message = :message WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: expire_approvals
-- The run has ended, so nobody needs to decide any more.
UPDATE approvals SET state = 'expired', reason = 'the run has ended', decided_us = :now_us
WHERE tenant_id = :tenant_id AND run_id = :run_id AND state = 'pending'

-- name: count_pending_approvals
SELECT count(*) AS n FROM approvals WHERE tenant_id = :tenant_id AND run_id = :run_id AND state = 'pending'

-- name: page
-- Newest first, strictly before the cursor (created_us, run_id). Empty filters match everything.
SELECT * FROM runs
WHERE tenant_id = :tenant_id AND (created_us < :before_us OR (created_us = :before_us AND run_id < :before_id))
    AND (CAST(:state AS TEXT) = '' OR state = :state) AND (CAST(:agent AS TEXT) = '' OR agent = :agent)
ORDER BY created_us DESC, run_id DESC LIMIT :n

-- name: events
SELECT entry_id, at_us, body FROM entries
WHERE tenant_id = :tenant_id AND run_id = :run_id AND type NOT IN ('call.intent', 'call.outcome')
    AND type = 'run.state' AND entry_id > :after ORDER BY entry_id LIMIT :n

-- name: content
SELECT sealed FROM contents WHERE tenant_id = :tenant_id AND subject = :subject AND content_id = :content_id

-- name: count_queued
-- Counts no further than the limit: the answer is only whether there is room.
SELECT count(*) AS n FROM
    (SELECT 1 AS one FROM runs WHERE state = 'queued' AND tenant_id = :tenant_id LIMIT :queue_max) AS queued

-- name: count_running
-- Supervised runs now running, by agent.
SELECT agent, count(*) AS n FROM runs
WHERE state = 'running' AND tenant_id = :tenant_id AND agent IN (SELECT value FROM json_each(:agents)) AND supervised = 1
GROUP BY agent
-- name: count_running (postgres)
SELECT agent, count(*) AS n FROM runs
WHERE state = 'running' AND tenant_id = :tenant_id AND supervised = 1
    AND agent = ANY (ARRAY(SELECT jsonb_array_elements_text(CAST(:agents AS jsonb))))
GROUP BY agent

-- name: tenants
SELECT tenant_id, time_zone FROM tenants ORDER BY tenant_id

-- name: lock_tenant
SELECT tenant_id FROM tenants WHERE tenant_id = :tenant_id
-- name: lock_tenant (postgres)
-- Starts of one tenant go one at a time, so that its caps are exact over all workers.
SELECT tenant_id FROM tenants WHERE tenant_id = :tenant_id FOR NO KEY UPDATE

-- name: add_tenant
INSERT INTO tenants (tenant_id, time_zone, created_us) VALUES (:tenant_id, :time_zone, :created_us)
ON CONFLICT (tenant_id) DO NOTHING

-- name: queued_agents
-- Which agents have a run that may start; most have none, and their queues need no look.
SELECT a.value AS agent FROM json_each(:agents) a WHERE EXISTS (
    SELECT 1 FROM runs r
    WHERE r.state = 'queued' AND r.tenant_id = :tenant_id AND r.agent = a.value AND r.ready_us <= :now_us)
-- name: queued_agents (postgres)
SELECT a.value AS agent FROM jsonb_array_elements_text(CAST(:agents AS jsonb)) AS a (value) WHERE EXISTS (
    SELECT 1 FROM runs r
    WHERE r.state = 'queued' AND r.tenant_id = :tenant_id AND r.agent = a.value AND r.ready_us <= :now_us)

-- name: front
-- The front of one agent's queue: the lower priority number first, then who has waited longest.
SELECT tenant_id, run_id, agent, release, priority, ready_us FROM runs
WHERE state = 'queued' AND tenant_id = :tenant_id AND agent = :agent AND ready_us <= :now_us
ORDER BY priority, ready_us LIMIT :n

-- name: idempotency
SELECT body_hash, run_id FROM idempotency_keys
WHERE tenant_id = :tenant_id AND idempotency_key = :idempotency_key AND expires_us > :now_us

-- name: take_idempotency_key
-- The first to take a key owns it; an expired one may be taken again.
INSERT INTO idempotency_keys (tenant_id, idempotency_key, body_hash, run_id, expires_us)
VALUES (:tenant_id, :idempotency_key, :body_hash, :run_id, :expires_us)
ON CONFLICT (tenant_id, idempotency_key) DO UPDATE
SET body_hash = excluded.body_hash, run_id = excluded.run_id, expires_us = excluded.expires_us
WHERE idempotency_keys.expires_us <= :now_us

-- name: forget_idempotency_keys
DELETE FROM idempotency_keys WHERE expires_us <= :now_us

-- name: add_budget_node
INSERT INTO budgets (tenant_id, node, limit_nanousd, limit_tokens, limit_calls, limit_turn_tool_calls,
    spent_nanousd, spent_tokens, spent_calls, turn_tool_calls, reserved_nanousd, reserved_tokens, reserved_calls)
VALUES (:tenant_id, :node, :limit_nanousd, :limit_tokens, :limit_calls, :limit_turn_tool_calls, 0, 0, 0, 0, 0, 0, 0)
ON CONFLICT (tenant_id, node) DO NOTHING

-- name: add_webhook
INSERT INTO webhooks (tenant_id, delivery_id, run_id, url, body, tries, due_us, state, last_error)
VALUES (:tenant_id, :delivery_id, :run_id, :url, :body, 0, :due_us, 'due', '')

-- name: end_attempt
UPDATE attempts SET ended_us = :now_us, end_reason = :end_reason
WHERE tenant_id = :tenant_id AND run_id = :run_id AND attempt = :attempt AND ended_us IS NULL
