-- name: stand
-- How run, attempt, approval and call stand for each operation of a batch. The runs of intents are locked against
-- transitions until the commit, so that an intent either precedes the next attempt, which then sees it, or is refused.
WITH wanted AS (
    SELECT * FROM unnest((:tenant_ids)::text[], (:run_ids)::text[], (:call_ids)::text[], (:attempts)::bigint[],
                         (:approval_ids)::text[], (:fenced)::bool[])
        WITH ORDINALITY AS w (tenant_id, run_id, call_id, attempt, approval_id, fenced, position)
), locked AS MATERIALIZED (
    SELECT r.tenant_id, r.run_id, r.state, r.code, r.attempt FROM runs r
    WHERE (r.tenant_id, r.run_id) IN (SELECT w.tenant_id, w.run_id FROM wanted w WHERE w.fenced)
    ORDER BY r.tenant_id, r.run_id
    FOR SHARE OF r
)
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us,
       r.state AS run_state, r.code AS run_code, r.attempt AS run_attempt,
       a.attempt, a.ended_us AS attempt_ended_us,
       c.state, c.kind, c.occurrence, c.attempt AS call_attempt, c.try_number, c.executor_id, c.opened_us, c.closed_us,
       c.reserved_nanousd, c.reserved_tokens, c.output_tokens_granted, c.budget_path,
       p.run_id AS approval_run, p.tool AS approval_tool, p.state AS approval_state, p.use_by_us, p.consumed_by,
       p.request_hash AS approval_hash
FROM wanted w
LEFT JOIN locked r ON r.tenant_id = w.tenant_id AND r.run_id = w.run_id
LEFT JOIN attempts a ON a.tenant_id = w.tenant_id AND a.run_id = w.run_id AND a.attempt = w.attempt
LEFT JOIN calls c ON c.tenant_id = w.tenant_id AND c.run_id = w.run_id AND c.call_id = w.call_id
LEFT JOIN approvals p ON p.tenant_id = w.tenant_id AND p.approval_id = w.approval_id
ORDER BY w.position

-- name: lock_nodes
-- The budget nodes of a batch, locked in id order.
SELECT b.tenant_id, b.node, b.limit_nanousd, b.limit_tokens, b.limit_calls, b.limit_turn_tool_calls, b.spent_nanousd,
       b.spent_tokens, b.spent_calls, b.turn_tool_calls, b.reserved_nanousd, b.reserved_tokens, b.reserved_calls
FROM budgets b
WHERE (b.tenant_id, b.node) IN (SELECT * FROM unnest((:tenant_ids)::text[], (:nodes)::text[]))
ORDER BY b.tenant_id, b.node
FOR UPDATE OF b

-- name: write
-- Everything that a batch makes durable, in one statement: new calls, outcomes of open calls, entries, contents and the
-- balances of the locked nodes. Returns the calls that were added or closed, so that the batch sees if one was not.
-- A new call's occurrence is the next of its (run, request hash) plus its rank among those of this batch.
WITH added AS (
    INSERT INTO calls (tenant_id, run_id, call_id, kind, name, effect, idempotent, state, request_hash, occurrence,
        consumed, delivered, attempt, try_number, executor_id, budget_path, reserved_nanousd, reserved_tokens,
        output_tokens_granted, cost_nanousd, tokens, upstream, code, message, outcome, approval_id, edited, opened_us,
        closed_us, request_key)
    SELECT n.tenant_id, n.run_id, n.call_id, n.kind, n.name, n.effect, n.idempotent, n.state, n.request_hash,
        n.rank + (SELECT coalesce(max(o.occurrence), -1) + 1 FROM calls o WHERE o.tenant_id = n.tenant_id
                  AND o.run_id = n.run_id AND o.request_hash = n.request_hash),
        n.attempt, 1, n.attempt, n.try_number, n.executor_id, n.budget_path, n.reserved_nanousd, n.reserved_tokens,
        n.output_tokens_granted, 0, 0, '', n.code, n.message, n.outcome, n.approval_id, n.edited, (:now_us)::bigint,
        CASE WHEN n.state <> 'open' THEN (:now_us)::bigint END, n.request_key
    FROM unnest((:new_tenant_ids)::text[], (:new_run_ids)::text[], (:new_call_ids)::text[], (:new_kinds)::text[],
                (:new_names)::text[], (:new_effects)::text[], (:new_idempotents)::bigint[], (:new_states)::text[],
                (:new_hashes)::bytea[], (:new_ranks)::bigint[], (:new_attempts)::bigint[], (:new_tries)::bigint[],
                (:new_executors)::text[], (:new_paths)::text[], (:new_nanousds)::bigint[], (:new_tokens)::bigint[],
                (:new_outputs)::bigint[], (:new_codes)::text[], (:new_messages)::text[], (:new_outcomes)::bytea[],
                (:new_approvals)::text[], (:new_edited)::bigint[], (:new_keys)::bytea[])
        AS n (tenant_id, run_id, call_id, kind, name, effect, idempotent, state, request_hash, rank, attempt,
              try_number, executor_id, budget_path, reserved_nanousd, reserved_tokens, output_tokens_granted, code,
              message, outcome, approval_id, edited, request_key)
    RETURNING call_id, occurrence
), closed AS (
    UPDATE calls c SET state = n.state, reserved_nanousd = 0, reserved_tokens = 0,
        cost_nanousd = c.cost_nanousd + n.cost, tokens = c.tokens + n.tokens, upstream = n.upstream, code = n.code,
        message = n.message, outcome = n.outcome, closed_us = (:now_us)::bigint,
        delivered = CASE WHEN n.delivered OR c.consumed > n.attempt THEN c.delivered ELSE 0 END
    FROM unnest((:end_tenant_ids)::text[], (:end_run_ids)::text[], (:end_call_ids)::text[], (:end_tries)::bigint[],
                (:end_executors)::text[], (:end_states)::text[], (:end_costs)::bigint[], (:end_tokens)::bigint[],
                (:end_upstreams)::text[], (:end_codes)::text[], (:end_messages)::text[], (:end_outcomes)::bytea[],
                (:end_attempts)::bigint[], (:end_delivered)::bool[])
        AS n (tenant_id, run_id, call_id, try_number, executor_id, state, cost, tokens, upstream, code, message,
              outcome, attempt, delivered)
    WHERE c.tenant_id = n.tenant_id AND c.run_id = n.run_id AND c.call_id = n.call_id AND c.state = 'open'
      AND c.try_number = n.try_number AND c.executor_id = n.executor_id
    RETURNING c.call_id
), journaled AS (
    INSERT INTO entries (tenant_id, run_id, call_id, type, version, at_us, body)
    SELECT e.tenant_id, e.run_id, e.call_id, e.type, e.version, (:now_us)::bigint, e.body
    FROM unnest((:tenant_ids)::text[], (:run_ids)::text[], (:call_ids)::text[], (:types)::text[],
                (:versions)::bigint[], (:bodies)::bytea[])
        WITH ORDINALITY AS e (tenant_id, run_id, call_id, type, version, body, position)
    ORDER BY e.position
), stored AS (
    INSERT INTO contents (tenant_id, subject, content_id, sealed)
    SELECT s.tenant_id, s.subject, s.content_id, s.sealed
    FROM unnest((:content_tenants)::text[], (:content_subjects)::text[], (:content_ids)::bytea[],
                (:content_blobs)::bytea[]) AS s (tenant_id, subject, content_id, sealed)
    ON CONFLICT DO NOTHING
), answered AS (
    INSERT INTO answers (tenant_id, call_id, content_id, sealed)
    SELECT s.tenant_id, s.call_id, s.content_id, s.sealed
    FROM unnest((:answer_tenants)::text[], (:answer_calls)::text[], (:answer_ids)::bytea[], (:answer_blobs)::bytea[])
        AS s (tenant_id, call_id, content_id, sealed)
    ON CONFLICT DO NOTHING
), settled AS (
    UPDATE budgets b SET spent_nanousd = n.spent_nanousd, spent_tokens = n.spent_tokens, spent_calls = n.spent_calls,
        turn_tool_calls = n.turn_tool_calls, reserved_nanousd = n.reserved_nanousd,
        reserved_tokens = n.reserved_tokens, reserved_calls = n.reserved_calls
    FROM unnest((:node_tenants)::text[], (:nodes)::text[], (:node_spent_nanousds)::bigint[],
                (:node_spent_tokens)::bigint[], (:node_spent_calls)::bigint[], (:node_turns)::bigint[],
                (:node_nanousds)::bigint[], (:node_tokens)::bigint[], (:node_calls)::bigint[])
        AS n (tenant_id, node, spent_nanousd, spent_tokens, spent_calls, turn_tool_calls, reserved_nanousd,
              reserved_tokens, reserved_calls)
    WHERE b.tenant_id = n.tenant_id AND b.node = n.node
)
SELECT call_id, occurrence FROM added UNION ALL SELECT call_id, -1 FROM closed

-- name: reopen
-- A known call is sent again (a retry, or a re-send after its executor died). What it has cost so far stays.
UPDATE calls SET state = 'open', consumed = greatest(consumed, :attempt), delivered = 1, attempt = :attempt,
    try_number = :try_number, executor_id = :executor_id, budget_path = :budget_path,
    reserved_nanousd = :reserved_nanousd, reserved_tokens = :reserved_tokens,
    output_tokens_granted = :output_tokens_granted, cost_nanousd = cost_nanousd + :settled_nanousd,
    tokens = tokens + :settled_tokens, upstream = '', code = '', message = '', outcome = NULL,
    approval_id = :approval_id, edited = :edited, opened_us = :now_us, closed_us = NULL
WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id AND state = :state_before
  AND try_number = :try_before

-- name: consume_approval
-- Bind an approval to the one call that uses it.
UPDATE approvals SET consumed_by = :call_id
WHERE tenant_id = :tenant_id AND approval_id = :approval_id AND state = 'approved' AND consumed_by IN ('', :call_id)

-- name: refused_already
-- Whether the refusal of a call was journaled before the connection was lost.
SELECT EXISTS (SELECT 1 FROM entries WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id
               AND type = :type AND body = :body)

-- name: claimable
-- Whether anything of a request waits to be consumed by this attempt.
SELECT 1 FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND request_hash = :request_hash
  AND state IN ('open', 'held', 'ok', 'error', 'denied')
  AND (consumed < :attempt OR (consumed = :attempt AND (delivered = 0 OR request_key = :request_key)))
LIMIT 1

-- name: lock_claimable
-- The occurrences of a request that this attempt has not been given, and the one that this very request was given
-- (`own`). All are locked before one is taken, because LIMIT would count rows that another claim, which is waited for,
-- has taken meanwhile.
SELECT call_id, coalesce(request_key = :request_key, false) AS own FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND request_hash = :request_hash
  AND state IN ('open', 'held', 'ok', 'error', 'denied')
  AND (consumed < :attempt OR (consumed = :attempt AND (delivered = 0 OR request_key = :request_key)))
ORDER BY occurrence
FOR UPDATE

-- name: claim
-- Consume an occurrence.
UPDATE calls SET consumed = :attempt, delivered = 1, request_key = :request_key
WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id

-- name: recorded
-- A call as the journal knows it, with its sealed answer and whether its executor lives.
SELECT c.call_id, c.name, c.state, c.effect, c.idempotent, c.occurrence, c.attempt, c.try_number, c.executor_id,
       EXISTS (SELECT 1 FROM executors e WHERE e.executor_id = c.executor_id
               AND e.lease_until_us > extract(epoch FROM clock_timestamp()) * 1000000)
       OR EXISTS (SELECT 1 FROM attempts a WHERE a.tenant_id = c.tenant_id AND a.run_id = c.run_id
                  AND c.executor_id = 'attempt:' || a.run_id || '/' || a.attempt AND a.ended_us IS NULL
                  AND a.lease_until_us > extract(epoch FROM clock_timestamp()) * 1000000) AS executor_alive,
       c.approval_id, c.code, c.message, c.upstream, c.edited, coalesce(c.closed_us, 0) AS closed_us,
       coalesce(c.outcome, ''::bytea) AS outcome, coalesce(k.sealed, ''::bytea) AS sealed
FROM calls c
LEFT JOIN answers k ON k.tenant_id = c.tenant_id AND k.call_id = c.call_id AND k.content_id = c.outcome
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.call_id = :call_id

-- name: abandon
-- The client vanished before it got the answer. Says nothing once a newer attempt has met the call.
UPDATE calls SET delivered = 0
WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id AND consumed = :attempt

-- name: unconsumed_effects
-- Side effects of the run that this attempt has not met.
SELECT count(*) FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND effect <> 'read' AND consumed < :attempt
  AND state IN ('open', 'ok', 'error', 'held')

-- name: in_flight
-- Open calls of one attempt.
SELECT count(*) FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND attempt = :attempt AND state = 'open'
