-- name: add_outcome
-- Write a verdict; the same source that speaks again replaces what it said.
INSERT INTO routing_outcomes (tenant_id, call_id, model, source, run_id, score, said_by, at_us)
VALUES (:tenant_id, :call_id, :model, :source, :run_id, :score, :said_by, :now_us)
ON CONFLICT (tenant_id, call_id, model, source)
DO UPDATE SET score = excluded.score, said_by = excluded.said_by, at_us = excluded.at_us

-- name: call
-- The model call that somebody speaks of.
SELECT call_id, run_id, name, kind, state, upstream FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id

-- name: calls_of_run
-- The answered model calls of a run.
SELECT call_id, run_id, name, kind, state, upstream FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND kind = 'model' AND state = 'ok'
ORDER BY opened_us LIMIT :count

-- name: outcomes
-- Verdicts, the latest first, with what is needed to find the prompt they are about.
SELECT o.call_id, o.model, o.source, o.run_id, o.score, o.at_us, r.subject
FROM routing_outcomes o JOIN runs r ON r.tenant_id = o.tenant_id AND r.run_id = o.run_id
WHERE o.tenant_id = :tenant_id ORDER BY o.at_us DESC LIMIT :count

-- name: intent
-- The latest entry of a type about a call.
SELECT body FROM entries WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id AND type = :type
ORDER BY entry_id DESC LIMIT 1

-- name: content
-- A piece of a request.
SELECT sealed FROM contents WHERE tenant_id = :tenant_id AND subject = :subject AND content_id = :content_id

-- name: lock
-- One fit at a time numbers its classifier; SQLite has one writer anyway.
SELECT :tenant_id AS locked

-- name: lock (postgres)
-- One fit of a tenant at a time numbers its classifier, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtext('airside routing ' || CAST(:tenant_id AS TEXT)))::text AS locked

-- name: next_version
-- The number after the latest fitted classifier.
SELECT COALESCE(MAX(version), 0) + 1 AS version FROM routing_models WHERE tenant_id = :tenant_id

-- name: add_model
-- A newly fitted classifier, not in force yet.
INSERT INTO routing_models (tenant_id, version, content_id, sealed, provenance, active, created_us)
VALUES (:tenant_id, :version, :content_id, :sealed, :provenance, 0, :now_us)

-- name: activate
-- Put one version in force and every other out of it.
UPDATE routing_models SET active = CASE WHEN version = :version THEN 1 ELSE 0 END WHERE tenant_id = :tenant_id

-- name: has_model
-- Whether a version is there.
SELECT version FROM routing_models WHERE tenant_id = :tenant_id AND version = :version

-- name: active_version
-- Which version is in force.
SELECT version FROM routing_models WHERE tenant_id = :tenant_id AND active = 1

-- name: one_model
-- A fitted classifier.
SELECT version, content_id, sealed FROM routing_models WHERE tenant_id = :tenant_id AND version = :version

-- name: models
-- Every fitted classifier, the latest first.
SELECT version, provenance, active, created_us FROM routing_models WHERE tenant_id = :tenant_id
ORDER BY version DESC LIMIT 100

-- name: add_shadow
-- What a shadow call came to.
INSERT INTO routing_shadows
(tenant_id, call_id, candidate, live, agreement, live_nanousd, candidate_nanousd, at_us)
VALUES (:tenant_id, :call_id, :candidate, :live, :agreement, :live_nanousd, :candidate_nanousd, :now_us)
ON CONFLICT (tenant_id, call_id, candidate) DO NOTHING

-- name: shadows
-- Shadow calls by live model and candidate.
SELECT live, candidate, COUNT(*) AS calls, SUM(agreement) AS agreement, SUM(agreement * agreement) AS squares,
       SUM(live_nanousd) AS live_nanousd, SUM(candidate_nanousd) AS candidate_nanousd
FROM routing_shadows WHERE tenant_id = :tenant_id AND at_us >= :since_us GROUP BY live, candidate ORDER BY live, candidate

-- name: add_budget
-- The budget of a day's shadow calls, made at the first of them.
INSERT INTO budgets (tenant_id, node, limit_nanousd, limit_tokens, limit_calls, limit_turn_tool_calls, spent_nanousd,
                     spent_tokens, spent_calls, turn_tool_calls, reserved_nanousd, reserved_tokens, reserved_calls)
VALUES (:tenant_id, :node, :limit_nanousd, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0, 0)
ON CONFLICT (tenant_id, node) DO NOTHING

-- name: quality
-- Verdicts by model and source.
SELECT model, source, COUNT(*) AS verdicts, SUM(score) AS total, SUM(score * score) AS squares FROM routing_outcomes
WHERE tenant_id = :tenant_id AND at_us >= :since_us GROUP BY model, source ORDER BY model, source

-- name: told
-- Intents and outcomes of calls, in pages by entry. The empty text keeps indexes by tenant out, which know no order.
SELECT entry_id, call_id, type, body FROM entries
WHERE tenant_id || '' = :tenant_id AND entry_id > :after AND at_us >= :since_us AND type IN ('call.intent', 'call.outcome')
ORDER BY entry_id LIMIT :count
