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
-- Ids of calls grow with time, so that entries are written where the last ones were. What a run's calls did is found by
-- its calls; the second index holds the rest, and serves only statements that repeat its condition word for word.
CREATE INDEX entries_by_call ON entries (tenant_id, call_id, entry_id);
CREATE INDEX entries_by_run ON entries (tenant_id, run_id, entry_id) WHERE type NOT IN ('call.intent', 'call.outcome');

CREATE FUNCTION refuse_journal_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$;
CREATE TRIGGER entries_never_change BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
FOR EACH STATEMENT EXECUTE FUNCTION refuse_journal_change();
