-- Breakers: what is switched off because it fails, shared by all processes. A row appears when a breaker first opens and
-- stays when it closes, so that one that opens again soon cools down longer. tenant_id is '*' for providers and models.
-- `trips` counts openings since it was last closed for long. A probe is one call that is let through, claimed until
-- `probe_until_us`. `resumed_us` is when parked runs were last let go on account of this breaker.
CREATE TABLE breakers (
    tenant_id     TEXT NOT NULL,
    name          TEXT NOT NULL,
    state         TEXT NOT NULL,
    forced        BIGINT NOT NULL,
    reason        TEXT NOT NULL,
    trips         BIGINT NOT NULL,
    successes     BIGINT NOT NULL,
    opened_us     BIGINT NOT NULL,
    due_us        BIGINT NOT NULL,
    closed_us     BIGINT NOT NULL,
    probe_id      TEXT NOT NULL,
    probe_until_us BIGINT NOT NULL,
    resumed_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name)
);

-- Runs that wait for a breaker to close. `parked_us` is the time waited in earlier waits of the run.
CREATE TABLE parked (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    breaker_tenant_id TEXT NOT NULL,
    breaker       TEXT NOT NULL,
    since_us      BIGINT NOT NULL,
    parked_us     BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id)
);
