-- Values that placeholders stand for (`<PERSON_1>`), numbered by run and kind. `name` is the keyed hash of run, kind and
-- value under the key of the run's subject, and `sealed` the same sealed under it: with the key, the values are gone.
CREATE TABLE placeholders (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    kind          TEXT NOT NULL,
    number        BIGINT NOT NULL,
    name          BYTEA NOT NULL,
    sealed        BYTEA NOT NULL,
    created_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, kind, number),
    UNIQUE (tenant_id, run_id, name)
);
