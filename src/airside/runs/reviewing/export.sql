-- name: rejected
-- What people denied or changed, in the order of their decisions, strictly after the cursor.
SELECT a.approval_id, a.run_id, a.tool, a.arguments, a.edited_arguments, a.decision, a.reason, a.decided_by,
    a.decided_us, r.agent, r.release, r.subject, r.input
FROM approvals a JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
WHERE a.tenant_id = :tenant_id AND a.decided_by <> '' AND (a.state = 'denied' OR a.edited_arguments IS NOT NULL)
    AND (a.decided_us > :from_us OR (a.decided_us = :from_us AND a.approval_id > :from_id))
ORDER BY a.decided_us, a.approval_id LIMIT :n
