-- name: standing
-- Everything that admission must know: the run, the attempt's fence, the call's row if it is known, and the highest
-- occurrence of its request.
SELECT r.state, r.code, r.attempt, a.attempt, a.ended_us, c.state, c.occurrence, c.reserved_nanousd,
       c.reserved_tokens, c.budget_path,
       (SELECT max(o.occurrence) FROM calls o
        WHERE o.tenant_id = :tenant_id AND o.run_id = :run_id AND o.request_hash = :request_hash)
FROM runs r
LEFT JOIN attempts a ON a.tenant_id = r.tenant_id AND a.run_id = r.run_id AND a.attempt = :attempt
LEFT JOIN calls c ON c.tenant_id = r.tenant_id AND c.run_id = r.run_id AND c.call_id = :call_id
WHERE r.tenant_id = :tenant_id AND r.run_id = :run_id

-- name: approval
-- The approval that a call names, if it covers this call, may still be used, and was not consumed by another call.
SELECT 1 FROM approvals
WHERE tenant_id = :tenant_id AND approval_id = :approval_id AND run_id = :run_id AND tool = :tool
  AND state = 'approved' AND (use_by_us IS NULL OR use_by_us > :now_us)
  AND (consumed_by = '' OR consumed_by = :call_id)
  AND (:edited = 1 OR request_hash = :request_hash)

-- name: consume_approval
-- Bind an approval to the one call that uses it.
UPDATE approvals SET consumed_by = :call_id WHERE tenant_id = :tenant_id AND approval_id = :approval_id

-- name: add_call
-- A call that is seen for the first time: open with its reservation, or refused.
INSERT INTO calls (tenant_id, run_id, call_id, kind, name, effect, idempotent, state, request_hash, occurrence, consumed,
    delivered, attempt, try_number, executor_id, budget_path, reserved_nanousd, reserved_tokens, output_tokens_granted,
    cost_nanousd, tokens, upstream, code, message, outcome, approval_id, edited, opened_us, closed_us, request_key)
VALUES (:tenant_id, :run_id, :call_id, :kind, :name, :effect, :idempotent, :state, :request_hash, :occurrence, :attempt,
    1, :attempt, :try_number, :executor_id, :budget_path, :reserved_nanousd, :reserved_tokens, :output_tokens_granted,
    0, 0, '', :code, :message, :outcome, :approval_id, :edited, :now_us, :closed_us, :request_key)

-- name: reopen_call
-- A known call is sent again (a retry, or a re-send after its executor died). What it has cost so far stays.
UPDATE calls SET state = 'open', consumed = max(consumed, :attempt), delivered = 1, attempt = :attempt,
    try_number = :try_number, executor_id = :executor_id, budget_path = :budget_path,
    reserved_nanousd = :reserved_nanousd, reserved_tokens = :reserved_tokens,
    output_tokens_granted = :output_tokens_granted, cost_nanousd = cost_nanousd + :settled_nanousd,
    tokens = tokens + :settled_tokens, upstream = '', code = '', message = '', outcome = NULL,
    approval_id = :approval_id, edited = :edited, closed_us = NULL
WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id

-- name: reservation
-- What a call holds while it is open.
SELECT rowid, state, kind, reserved_nanousd, reserved_tokens, output_tokens_granted, budget_path, closed_us
FROM calls WHERE tenant_id = :tenant_id AND run_id = :run_id AND call_id = :call_id

-- name: close_call
-- The outcome of an open call; its reservation is gone.
UPDATE calls SET state = :state, reserved_nanousd = 0, reserved_tokens = 0, cost_nanousd = cost_nanousd + :cost,
    tokens = tokens + :tokens, upstream = :upstream, code = :code, message = :message, outcome = :outcome,
    delivered = CASE WHEN :delivered = 1 OR consumed > :attempt THEN delivered ELSE 0 END, closed_us = :now_us
WHERE rowid = :row

-- name: next_occurrence
-- The occurrence number that a request would get next in a run, if the call id is not known yet.
SELECT coalesce(max(occurrence), -1) + 1,
       EXISTS (SELECT 1 FROM calls k WHERE k.tenant_id = :tenant_id AND k.run_id = :run_id AND k.call_id = :call_id)
FROM calls WHERE tenant_id = :tenant_id AND run_id = :run_id AND request_hash = :request_hash

-- name: claimable
-- Whether anything of a request waits to be consumed by this attempt.
SELECT 1 FROM calls
WHERE tenant_id = :tenant_id AND run_id = :run_id AND request_hash = :request_hash
  AND state IN ('open', 'held', 'ok', 'error', 'denied')
  AND (consumed < :attempt OR (consumed = :attempt AND (delivered = 0 OR request_key = :request_key)))
LIMIT 1

-- name: claim
-- Consume what this very request has consumed before, else the lowest occurrence that this attempt has not been given.
UPDATE calls SET consumed = :attempt, delivered = 1, request_key = :request_key
WHERE rowid = (
    SELECT rowid FROM calls
    WHERE tenant_id = :tenant_id AND run_id = :run_id AND request_hash = :request_hash
      AND state IN ('open', 'held', 'ok', 'error', 'denied')
      AND (consumed < :attempt OR (consumed = :attempt AND (delivered = 0 OR request_key = :request_key)))
    ORDER BY request_key IS :request_key AND :request_key IS NOT NULL DESC, occurrence LIMIT 1)
RETURNING call_id

-- name: recorded
-- A call as the journal knows it, with its sealed answer and whether its executor lives.
SELECT c.call_id, c.name, c.state, c.effect, c.idempotent, c.occurrence, c.attempt, c.try_number, c.executor_id,
       EXISTS (SELECT 1 FROM executors e WHERE e.executor_id = c.executor_id AND e.lease_until_us > :now_us)
       OR EXISTS (SELECT 1 FROM attempts a WHERE a.tenant_id = c.tenant_id AND a.run_id = c.run_id
                  AND c.executor_id = 'attempt:' || a.run_id || '/' || a.attempt
                  AND a.ended_us IS NULL AND a.lease_until_us > :now_us) AS executor_alive,
       c.approval_id, c.code, c.message, c.upstream, c.edited, coalesce(c.closed_us, 0) AS closed_us,
       coalesce(c.outcome, x'') AS outcome, coalesce(k.sealed, x'') AS sealed
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
