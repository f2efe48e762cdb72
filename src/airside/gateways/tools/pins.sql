-- What runs were shown of foreign sources; the entries are the journal's.

-- name: run_locked
-- SQLite has one writer at a time.
SELECT 1 AS locked WHERE :tenant_id <> :run_id

-- name: run_locked (postgres)
-- Of two gateways that pin at once, the second waits and finds the first one's pin.
SELECT 1 AS locked FROM runs WHERE tenant_id = :tenant_id AND run_id = :run_id FOR UPDATE

-- name: pins
-- The pins of a run, the first one first; by the index over entries that are not calls'.
SELECT body FROM entries WHERE tenant_id = :tenant_id AND run_id = :run_id AND type = :type
    AND type NOT IN ('call.intent', 'call.outcome') ORDER BY entry_id

-- name: run_state
SELECT state FROM runs WHERE tenant_id = :tenant_id AND run_id = :run_id
