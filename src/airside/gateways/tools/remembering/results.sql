-- Statements over results of tools that are given again.

-- name: find
SELECT owner, origin, content_id, sealed, created_us, expires_us FROM tool_results
WHERE tenant_id = :tenant_id AND tool = :tool AND entry_key = :entry_key AND expires_us > :now_us
    AND created_us <= :now_us

-- name: generation
SELECT generation FROM tool_generations WHERE tenant_id = :tenant_id AND tool = :tool

-- name: lock_generation
SELECT generation FROM tool_generations WHERE tenant_id = :tenant_id AND tool = :tool
-- name: lock_generation (postgres)
-- A declaration that is under way is waited for, and one that comes later waits for this result to be kept.
SELECT generation FROM tool_generations WHERE tenant_id = :tenant_id AND tool = :tool FOR UPDATE

-- name: begin_generation
INSERT INTO tool_generations (tenant_id, tool, generation) VALUES (:tenant_id, :tool, 0)
ON CONFLICT (tenant_id, tool) DO NOTHING

-- name: next_generation
INSERT INTO tool_generations (tenant_id, tool, generation) VALUES (:tenant_id, :tool, 1)
ON CONFLICT (tenant_id, tool) DO UPDATE SET generation = tool_generations.generation + 1

-- name: keep
INSERT INTO tool_results (tenant_id, tool, entry_key, owner, origin, content_id, sealed, bytes, hits, created_us,
    expires_us)
VALUES (:tenant_id, :tool, :entry_key, :owner, :origin, :content_id, :sealed, :bytes, 0, :now_us, :expires_us)
ON CONFLICT (tenant_id, tool, entry_key) DO UPDATE SET owner = excluded.owner, origin = excluded.origin,
    content_id = excluded.content_id, sealed = excluded.sealed, bytes = excluded.bytes, created_us = excluded.created_us,
    expires_us = excluded.expires_us

-- name: hit
UPDATE tool_results SET hits = hits + 1 WHERE tenant_id = :tenant_id AND tool = :tool AND entry_key = :entry_key

-- name: stale
DELETE FROM tool_results WHERE tenant_id = :tenant_id AND tool = :tool

-- name: expired
DELETE FROM tool_results WHERE tenant_id = :tenant_id AND expires_us <= :now_us

-- name: size
SELECT coalesce(sum(bytes), 0) AS bytes FROM tool_results WHERE tenant_id = :tenant_id

-- name: oldest
SELECT tool, entry_key, bytes FROM tool_results WHERE tenant_id = :tenant_id ORDER BY created_us LIMIT 100

-- name: drop
DELETE FROM tool_results WHERE tenant_id = :tenant_id AND tool = :tool AND entry_key = :entry_key

-- name: totals
SELECT tool, count(*) AS entries, sum(bytes) AS bytes, sum(hits) AS hits FROM tool_results
WHERE tenant_id = :tenant_id GROUP BY tool ORDER BY tool LIMIT 200
