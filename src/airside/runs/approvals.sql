-- Statements over approvals.

-- name: meet
-- The lowest approval of this very call that this attempt has not met and that has served no other call.
-- A denial is used up once a call that was refused by it is recorded.
SELECT * FROM approvals p
WHERE p.tenant_id = :tenant_id AND p.run_id = :run_id AND p.request_hash = :request_hash
    AND ((p.consumed_by = '' AND p.claimed < :attempt) OR p.consumed_by = :call_id)
    AND NOT EXISTS (SELECT 1 FROM calls c WHERE c.tenant_id = p.tenant_id AND c.run_id = p.run_id
        AND c.approval_id = p.approval_id AND c.state = 'denied')
ORDER BY CASE WHEN consumed_by = :call_id THEN 0 ELSE 1 END, requested_us, approval_id LIMIT 1

-- name: claim
UPDATE approvals SET claimed = :attempt, state = :state
WHERE tenant_id = :tenant_id AND approval_id = :approval_id

-- name: add
INSERT INTO approvals (tenant_id, approval_id, run_id, call_id, tool, request_hash, canonical_version, arguments,
    edited_arguments, decision, state, claimed, reason, decided_by, requested_us, decide_by_us, decided_us, use_by_us,
    consumed_by)
VALUES (:tenant_id, :approval_id, :run_id, :call_id, :tool, :request_hash, :canonical_version, :arguments,
    NULL, :decision, 'pending', :attempt, '', '', :now_us, :decide_by_us, NULL, NULL, '')

-- name: get
SELECT a.*, r.subject, r.agent, r.state AS run_state, r.labels FROM approvals a
JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
WHERE a.tenant_id = :tenant_id AND a.approval_id = :approval_id

-- name: page
-- Newest first, strictly before the cursor. Empty filters match everything.
SELECT a.*, r.subject, r.agent, r.state AS run_state, r.labels FROM approvals a
JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
WHERE a.tenant_id = :tenant_id AND (CAST(:state AS TEXT) = '' OR a.state = :state)
    AND (CAST(:run_id AS TEXT) = '' OR a.run_id = :run_id)
    AND (a.requested_us < :before_us OR (a.requested_us = :before_us AND a.approval_id < :before_id))
ORDER BY a.requested_us DESC, a.approval_id DESC LIMIT :n

-- name: decide
-- Of two deciders the database lets one win: the other finds the approval no longer pending.
UPDATE approvals SET state = :state, reason = :reason, decided_by = :decided_by, decided_us = :now_us,
    use_by_us = :use_by_us, edited_arguments = :edited_arguments
WHERE tenant_id = :tenant_id AND approval_id = :approval_id AND state = 'pending' AND decide_by_us > :now_us

-- name: overdue
SELECT tenant_id, approval_id, run_id FROM approvals WHERE state = 'pending' AND decide_by_us <= :now_us
ORDER BY decide_by_us LIMIT 100

-- name: expire
UPDATE approvals SET state = 'expired', reason = 'nobody decided in time', decided_us = :now_us
WHERE tenant_id = :tenant_id AND approval_id = :approval_id AND state = 'pending'
