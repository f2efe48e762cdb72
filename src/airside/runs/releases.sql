-- Statements over releases and aliases.

-- name: add
INSERT INTO releases (tenant_id, fingerprint, agent, manifest, created_us)
VALUES (:tenant_id, :fingerprint, :agent, :manifest, :now_us) ON CONFLICT (tenant_id, fingerprint) DO NOTHING

-- name: point
-- An alias names one release at a time; new runs bind to it.
INSERT INTO aliases (tenant_id, agent, alias, fingerprint, changed_us)
VALUES (:tenant_id, :agent, :alias, :fingerprint, :now_us)
ON CONFLICT (tenant_id, agent, alias) DO UPDATE
SET fingerprint = excluded.fingerprint, changed_us = excluded.changed_us
WHERE aliases.fingerprint <> excluded.fingerprint

-- name: known
SELECT fingerprint FROM releases WHERE tenant_id = :tenant_id AND fingerprint = :fingerprint AND agent = :agent
