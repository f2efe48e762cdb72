-- Statements over the buckets of rate limits.

-- name: lock
-- SQLite has one writer, so reading is locking.
SELECT level, updated_us FROM rates WHERE tenant_id = :tenant_id AND name = :name
-- name: lock (postgres)
SELECT level, updated_us FROM rates WHERE tenant_id = :tenant_id AND name = :name FOR UPDATE

-- name: add
INSERT INTO rates (tenant_id, name, level, updated_us) VALUES (:tenant_id, :name, :level, :updated_us)
ON CONFLICT (tenant_id, name) DO NOTHING

-- name: save
UPDATE rates SET level = :level, updated_us = :updated_us WHERE tenant_id = :tenant_id AND name = :name

-- name: forget
-- A bucket that was left alone for so long is full, which a missing one is too.
DELETE FROM rates WHERE updated_us < :before_us AND level >= 0
