-- The append-only journal on SQLite.
CREATE TABLE entries (
    entry_id      INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    call_id       TEXT NOT NULL,
    type          TEXT NOT NULL,
    version       BIGINT NOT NULL,
    at_us         BIGINT NOT NULL,
    body          BYTEA NOT NULL
);
CREATE INDEX entries_by_run ON entries (tenant_id, run_id, entry_id);

CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END;
