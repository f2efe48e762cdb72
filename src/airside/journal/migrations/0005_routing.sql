-- Routing: what is known of how well models answered, what was learned from it, and what shadow calls came to.
-- An outcome is one verdict on one model's answer to one call: `score` is in thousandths, `source` who says so
-- (feedback, evaluation, cascade, shadow). The same source speaks once of a model's answer to a call.
CREATE TABLE routing_outcomes (
    tenant_id     TEXT NOT NULL,
    call_id       TEXT NOT NULL,
    model         TEXT NOT NULL,
    source        TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    score         BIGINT NOT NULL,
    said_by       TEXT NOT NULL,
    at_us         BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, call_id, model, source)
);
CREATE INDEX routing_outcomes_by_time ON routing_outcomes (tenant_id, at_us);

-- Fitted classifiers, one version after the other. `sealed` are its bytes under the tenant's routing key, `provenance`
-- tells in JSON what it was fitted from. The one in force has `active` 1; the others are kept.
CREATE TABLE routing_models (
    tenant_id     TEXT NOT NULL,
    version       BIGINT NOT NULL,
    content_id    BYTEA NOT NULL,
    sealed        BYTEA NOT NULL,
    provenance    TEXT NOT NULL,
    active        BIGINT NOT NULL,
    created_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, version)
);

-- Shadow calls: a live answer beside that of a candidate. `agreement` is in thousandths.
CREATE TABLE routing_shadows (
    tenant_id     TEXT NOT NULL,
    call_id       TEXT NOT NULL,
    candidate     TEXT NOT NULL,
    live          TEXT NOT NULL,
    agreement     BIGINT NOT NULL,
    live_nanousd  BIGINT NOT NULL,
    candidate_nanousd BIGINT NOT NULL,
    at_us         BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, call_id, candidate)
);
