-- Statements over what operators were told.

-- name: take
-- Changes a row if nobody has told this lately; what lies far ahead was told by a clock that has gone back since.
INSERT INTO notices (tenant_id, kind, key, told_us) VALUES (:tenant_id, :kind, :key, :now_us)
ON CONFLICT (tenant_id, kind, key) DO UPDATE SET told_us = excluded.told_us
WHERE notices.told_us <= :before_us OR notices.told_us > :ahead_us

-- name: add_webhook
-- A delivery that belongs to no run.
INSERT INTO webhooks (tenant_id, delivery_id, run_id, url, body, tries, due_us, state, last_error)
VALUES (:tenant_id, :delivery_id, '', :url, :body, 0, :due_us, 'due', '')

-- name: forget
DELETE FROM notices WHERE told_us < :before_us
