-- Statements over API keys and run tokens.

-- name: add
INSERT INTO api_keys (tenant_id, key_id, name, role, secret_hash, created_us, revoked_us)
VALUES (:tenant_id, :key_id, :name, :role, :secret_hash, :created_us, NULL)

-- name: count
SELECT count(*) AS n FROM api_keys WHERE tenant_id = :tenant_id

-- name: list
SELECT key_id, name, role, created_us, revoked_us FROM api_keys WHERE tenant_id = :tenant_id
ORDER BY created_us, key_id LIMIT 200

-- name: by_secret
SELECT tenant_id, key_id, name, role, revoked_us FROM api_keys WHERE secret_hash = :secret_hash

-- name: revoke
UPDATE api_keys SET revoked_us = :now_us WHERE tenant_id = :tenant_id AND key_id = :key_id AND revoked_us IS NULL

-- name: by_token
-- The attempt behind a run token, with the run as it stands now.
SELECT a.attempt AS token_attempt, a.lease_until_us, a.started_us AS attempt_started_us, a.ended_us AS attempt_ended_us,
    h.tools AS tools_granted, h.rules AS caveats, NULL AS until_us, r.*
FROM attempts a JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
    LEFT JOIN handoffs h ON h.tenant_id = r.tenant_id AND h.run_id = r.run_id
WHERE a.token_hash = :token_hash

-- name: by_narrowed
-- The attempt behind a token that an attempt has made from its own.
SELECT a.attempt AS token_attempt, a.lease_until_us, a.started_us AS attempt_started_us, a.ended_us AS attempt_ended_us,
    n.tools AS tools_granted, n.rules AS caveats, n.until_us, r.*
FROM narrowed_tokens n
    JOIN attempts a ON a.tenant_id = n.tenant_id AND a.run_id = n.run_id AND a.attempt = n.attempt
    JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
WHERE n.token_hash = :token_hash

-- name: narrow
INSERT INTO narrowed_tokens (tenant_id, token_hash, run_id, attempt, tools, rules, until_us)
VALUES (:tenant_id, :token_hash, :run_id, :attempt, :tools, :rules, :until_us)

-- name: count_narrowed
SELECT count(*) AS n FROM narrowed_tokens WHERE tenant_id = :tenant_id AND run_id = :run_id AND attempt = :attempt

-- name: forget_narrowed
DELETE FROM narrowed_tokens WHERE until_us <= :now_us

-- name: add_attempt
INSERT INTO attempts (tenant_id, run_id, attempt, worker_id, token_hash, lease_until_us, started_us, ended_us, end_reason)
VALUES (:tenant_id, :run_id, :attempt, :worker_id, :token_hash, :lease_until_us, :now_us, NULL, NULL)

-- name: idle
-- Runs of outside programs that have made no call since `since_us` and have none under way.
SELECT r.tenant_id, r.run_id FROM attempts a
JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
WHERE a.ended_us IS NULL AND a.lease_until_us = :forever_us AND a.worker_id = :worker_id AND a.started_us < :since_us
    AND NOT EXISTS (SELECT 1 FROM calls c WHERE c.tenant_id = r.tenant_id AND c.run_id = r.run_id
        AND (c.state = 'open' OR c.opened_us >= :since_us OR c.closed_us >= :since_us))
LIMIT 200
