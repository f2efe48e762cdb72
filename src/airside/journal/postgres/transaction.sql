-- name: begun
-- The database's clock and the transaction's number, by which its fate can be asked for after a lost connection.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now_us, pg_current_xact_id()::text AS xid,
       (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS server_started_us

-- name: now
-- The database's clock.
SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint

-- name: fate
-- What became of a transaction, if the same server still runs. A number beyond the last one given out raises an error.
SELECT pg_xact_status((:xid)::text::xid8) AS status,
       (extract(epoch FROM pg_postmaster_start_time()) * 1000000)::bigint AS server_started_us

-- name: lock_schema
-- One process migrates at a time.
SELECT pg_advisory_xact_lock(7012402127)

-- name: append
-- Write entries in the order given.
INSERT INTO entries (tenant_id, run_id, call_id, type, version, at_us, body)
SELECT e.tenant_id, e.run_id, e.call_id, e.type, e.version, (:now_us)::bigint, e.body
FROM unnest((:tenant_ids)::text[], (:run_ids)::text[], (:call_ids)::text[], (:types)::text[], (:versions)::bigint[],
            (:bodies)::bytea[]) WITH ORDINALITY AS e (tenant_id, run_id, call_id, type, version, body, position)
ORDER BY e.position

-- name: store
-- Store contents that are not there yet, in one order everywhere, so that two writers do not wait for each other.
INSERT INTO contents (tenant_id, subject, content_id, sealed)
SELECT DISTINCT ON (c.tenant_id, c.subject, c.content_id) c.tenant_id, c.subject, c.content_id, c.sealed
FROM unnest((:tenant_ids)::text[], (:subjects)::text[], (:content_ids)::bytea[], (:blobs)::bytea[])
    AS c (tenant_id, subject, content_id, sealed)
ORDER BY c.tenant_id, c.subject, c.content_id
ON CONFLICT DO NOTHING
