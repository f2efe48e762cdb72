-- name: wrapped
-- The wrapped data key of a subject; empty once it was destroyed.
SELECT wrapped FROM subject_keys WHERE tenant_id = :tenant_id AND subject = :subject

-- name: add
-- A new data key, unless there is one.
INSERT INTO subject_keys (tenant_id, subject, wrapped, created_us) VALUES (:tenant_id, :subject, :wrapped, :created_us)
ON CONFLICT (tenant_id, subject) DO NOTHING
