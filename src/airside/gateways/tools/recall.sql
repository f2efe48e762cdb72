-- Reading what a run has kept.

-- name: requests
-- The newest calls of a run, whose bodies name the pieces of their requests.
SELECT e.body FROM calls c CROSS JOIN entries e -- which has SQLite begin with the run's calls
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id
    AND e.tenant_id = c.tenant_id AND e.call_id = c.call_id AND e.type = 'call.intent'
ORDER BY e.entry_id DESC LIMIT :calls_max;

-- name: content
-- One piece, sealed.
SELECT sealed FROM contents WHERE tenant_id = :tenant_id AND subject = :subject AND content_id = :content_id;
