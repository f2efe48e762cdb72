-- Batches handed to providers. Their items are calls of the run; a lease lets one process at a time look after each.
CREATE TABLE batches (
    tenant_id     TEXT NOT NULL,
    batch_id      TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    provider      TEXT NOT NULL,
    model         TEXT NOT NULL,
    price_share   TEXT NOT NULL,
    items         BIGINT NOT NULL,
    digest        BYTEA NOT NULL,
    state         TEXT NOT NULL,
    code          TEXT NOT NULL,
    upstream_id   TEXT NOT NULL,
    cancelled     BIGINT NOT NULL,
    made_us       BIGINT NOT NULL,
    due_us        BIGINT NOT NULL,
    lease_us      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, batch_id)
);
CREATE INDEX batches_due ON batches (due_us) WHERE state <> 'ended';
