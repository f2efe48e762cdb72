-- name: create
-- The table that remembers which migrations a database has seen.
CREATE TABLE IF NOT EXISTS schema_migrations (
    number     BIGINT NOT NULL PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_us BIGINT NOT NULL
)

-- name: applied
-- What has been applied, oldest first.
SELECT number, name FROM schema_migrations ORDER BY number

-- name: record
-- Remember one that was just applied.
INSERT INTO schema_migrations (number, name, applied_us) VALUES (:number, :name, :applied_us)
