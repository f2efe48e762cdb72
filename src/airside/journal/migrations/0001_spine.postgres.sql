-- The append-only journal on Postgres.
CREATE TABLE entries (
    entry_id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    call_id       TEXT NOT NULL,
    type          TEXT NOT NULL,
    version       BIGINT NOT NULL,
    at_us         BIGINT NOT NULL,
    body          BYTEA NOT NULL
);
CREATE INDEX entries_by_run ON entries (tenant_id, run_id, entry_id);

CREATE FUNCTION refuse_journal_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$;
CREATE TRIGGER entries_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_journal_change();
