-- name: counted
-- What calls of a batch have added already.
SELECT c.tenant_id, c.run_id, c.call_id, c.name, c.period_start_us, c.amount
FROM policy_counted c
WHERE (c.tenant_id, c.run_id, c.call_id) IN
      (SELECT * FROM unnest((:tenant_ids)::text[], (:run_ids)::text[], (:call_ids)::text[]))

-- name: begin_sums
-- The sums of a batch that nobody has added to yet, in the order of their keys.
INSERT INTO policy_sums (tenant_id, name, period_start_us, moved)
SELECT n.tenant_id, n.name, n.period_start_us, 0
FROM unnest((:tenant_ids)::text[], (:names)::text[], (:starts_us)::bigint[]) AS n (tenant_id, name, period_start_us)
ORDER BY n.tenant_id, n.name, n.period_start_us
ON CONFLICT DO NOTHING

-- name: lock_sums
-- The sums of a batch, locked in the order of their keys.
SELECT s.tenant_id, s.name, s.period_start_us, s.moved FROM policy_sums s
WHERE (s.tenant_id, s.name, s.period_start_us) IN
      (SELECT * FROM unnest((:tenant_ids)::text[], (:names)::text[], (:starts_us)::bigint[]))
ORDER BY s.tenant_id, s.name, s.period_start_us
FOR UPDATE OF s

-- name: write_sums
-- How the locked sums stand now.
UPDATE policy_sums s SET moved = n.moved
FROM unnest((:tenant_ids)::text[], (:names)::text[], (:starts_us)::bigint[], (:moved)::bigint[])
    AS n (tenant_id, name, period_start_us, moved)
WHERE s.tenant_id = n.tenant_id AND s.name = n.name AND s.period_start_us = n.period_start_us

-- name: note
-- Remember what calls have added.
INSERT INTO policy_counted (tenant_id, run_id, call_id, name, period_start_us, amount)
SELECT * FROM unnest((:tenant_ids)::text[], (:run_ids)::text[], (:call_ids)::text[], (:names)::text[],
                     (:starts_us)::bigint[], (:amounts)::bigint[])

-- name: forget
-- Nothing can change any more about what these calls did.
DELETE FROM policy_counted c
WHERE (c.tenant_id, c.run_id, c.call_id) IN
      (SELECT * FROM unnest((:tenant_ids)::text[], (:run_ids)::text[], (:call_ids)::text[]))
