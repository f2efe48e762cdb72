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
    consumed_by, risk, rank_us, about, tool_hash, required, step, floor, escalate_us, confidence, calibrated)
VALUES (:tenant_id, :approval_id, :run_id, :call_id, :tool, :request_hash, :canonical_version, :arguments,
    NULL, :decision, 'pending', :attempt, '', '', :now_us, :decide_by_us, NULL, NULL, '', :risk, :rank_us, :about,
    :tool_hash, :required, :step, :floor, :escalate_us, :confidence, :calibrated)

-- name: get
-- One item of the queue. A known-bad proposal is not there before its time.
SELECT * FROM review_queue
WHERE tenant_id = :tenant_id AND approval_id = :approval_id AND (seeded = 0 OR requested_us <= :now_us)

-- name: page
-- Newest first, strictly before the cursor. Empty filters match everything.
SELECT * FROM review_queue
WHERE tenant_id = :tenant_id AND (seeded = 0 OR requested_us <= :now_us)
    AND (CAST(:state AS TEXT) = '' OR state = :state) AND (CAST(:run_id AS TEXT) = '' OR run_id = :run_id)
    AND (CAST(:tool AS TEXT) = '' OR tool = :tool) AND (CAST(:agent AS TEXT) = '' OR agent = :agent)
    AND risk >= :risk_min
    AND (requested_us < :from_us OR (requested_us = :from_us AND approval_id < :from_id))
ORDER BY requested_us DESC, approval_id DESC LIMIT :n

-- name: page_by_risk
-- Likewise, what to look at first in front.
SELECT * FROM review_queue
WHERE tenant_id = :tenant_id AND (seeded = 0 OR requested_us <= :now_us)
    AND (CAST(:state AS TEXT) = '' OR state = :state) AND (CAST(:run_id AS TEXT) = '' OR run_id = :run_id)
    AND (CAST(:tool AS TEXT) = '' OR tool = :tool) AND (CAST(:agent AS TEXT) = '' OR agent = :agent)
    AND risk >= :risk_min
    AND (rank_us > :from_us OR (rank_us = :from_us AND approval_id > :from_id))
ORDER BY rank_us, approval_id LIMIT :n

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
