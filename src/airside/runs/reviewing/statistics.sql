-- name: items
-- The approvals of some time, the latest first, with no more of them than statistics need.
SELECT tool, agent, decided_by, state, CASE WHEN edited_arguments IS NULL THEN 0 ELSE 1 END AS edited, seeded,
    requested_us, decided_us
FROM review_queue
WHERE tenant_id = :tenant_id AND requested_us >= :since_us AND (seeded = 0 OR requested_us <= :now_us)
ORDER BY requested_us DESC LIMIT :n
