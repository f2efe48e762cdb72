-- Statements over proposals that are known to be bad.

-- name: denied
-- Past proposals that a person denied, of subjects that are not erased: what is wrong once is wrong again.
SELECT a.run_id AS source_run_id, a.requested_us AS source_us, r.agent, r.subject, r.labels, a.tool, a.arguments,
    a.decision, a.risk, a.about, a.tool_hash, a.required, a.floor, a.confidence, a.calibrated
FROM approvals a JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
WHERE a.tenant_id = :tenant_id AND a.state = 'denied' AND a.decided_by <> ''
    AND EXISTS (SELECT 1 FROM subject_keys k
                WHERE k.tenant_id = r.tenant_id AND k.subject = r.subject AND length(k.wrapped) > 0)
ORDER BY a.decided_us DESC, a.approval_id LIMIT :n

-- name: add
INSERT INTO approval_seeds (tenant_id, approval_id, run_id, source_run_id, source_us, agent, subject, labels, tool,
    arguments, edited_arguments, decision, state, reason, decided_by, requested_us, decide_by_us, decided_us, risk,
    rank_us, about, tool_hash, required, step, floor, escalate_us, confidence, calibrated)
VALUES (:tenant_id, :approval_id, :run_id, :source_run_id, :source_us, :agent, :subject, :labels, :tool,
    :arguments, NULL, :decision, 'pending', '', '', :requested_us, :decide_by_us, NULL, :risk,
    :rank_us, :about, :tool_hash, :required, :step, :floor, :escalate_us, :confidence, :calibrated)

-- name: decide
UPDATE approval_seeds SET state = :state, reason = :reason, decided_by = :decided_by, decided_us = :now_us,
    edited_arguments = :edited_arguments
WHERE tenant_id = :tenant_id AND approval_id = :approval_id AND state = 'pending' AND decide_by_us > :now_us
    AND requested_us <= :now_us

-- name: expire
UPDATE approval_seeds SET state = 'expired', reason = 'nobody decided in time', decided_us = :now_us
WHERE state = 'pending' AND decide_by_us <= :now_us
