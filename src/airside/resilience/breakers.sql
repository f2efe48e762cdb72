-- Statements over breakers. See switch.py for what the states mean.

-- name: add
INSERT INTO breakers (tenant_id, name, state, forced, reason, trips, successes, opened_us, due_us, closed_us, probe_id,
    probe_until_us, resumed_us)
VALUES (:tenant_id, :name, 'closed', 0, '', 0, 0, 0, 0, 0, '', 0, 0)
ON CONFLICT (tenant_id, name) DO NOTHING

-- name: lock
-- SQLite has one writer, so reading is locking.
SELECT * FROM breakers WHERE tenant_id = :tenant_id AND name = :name
-- name: lock (postgres)
SELECT * FROM breakers WHERE tenant_id = :tenant_id AND name = :name FOR UPDATE

-- name: save
UPDATE breakers SET state = :state, forced = :forced, reason = :reason, trips = :trips, successes = :successes,
    opened_us = :opened_us, due_us = :due_us, closed_us = :closed_us, probe_id = :probe_id,
    probe_until_us = :probe_until_us, resumed_us = :resumed_us
WHERE tenant_id = :tenant_id AND name = :name

-- name: switched_off
-- Read by every process several times a second; there are few.
SELECT * FROM breakers WHERE state <> 'closed'

-- name: known
-- What concerns a tenant: its own breakers and those that all share.
SELECT * FROM breakers WHERE tenant_id = :tenant_id OR tenant_id = '*' ORDER BY tenant_id, name LIMIT 1000
