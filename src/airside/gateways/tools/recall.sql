-- Reading what a run has kept.

-- name: requests
-- The newest calls of a run, whose bodies name the pieces of their requests.
SELECT body FROM entries
WHERE tenant_id = :tenant_id AND run_id = :run_id AND type = 'call.intent'
ORDER BY entry_id DESC LIMIT :calls_max;

-- name: content
-- One piece, sealed.
SELECT sealed FROM contents WHERE tenant_id = :tenant_id AND subject = :subject AND content_id = :content_id;
