-- What calibration learns from.

-- name: samples
-- Decisions of people on calls that came with a confidence, the latest first. Approved as proposed is good.
SELECT a.confidence, CASE WHEN a.state = 'approved' AND a.edited_arguments IS NULL THEN 1 ELSE 0 END AS good
FROM approvals a JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
WHERE a.tenant_id = :tenant_id AND r.agent = :agent AND a.tool = :tool AND a.confidence IS NOT NULL
    AND a.state IN ('approved', 'denied') AND a.decided_by <> ''
ORDER BY a.decided_us DESC, a.approval_id LIMIT :n
