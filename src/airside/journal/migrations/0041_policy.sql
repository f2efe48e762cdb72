-- What rules sum up: dollars moved and calls made in a period. Amounts are nano-dollars or calls.

-- One sum, by the name of its definition and its period's start (0: a run's).
CREATE TABLE policy_sums (
    tenant_id       TEXT NOT NULL,
    name            TEXT NOT NULL,
    period_start_us BIGINT NOT NULL,
    moved           BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name, period_start_us)
);

-- What a call has added, until its outcome is known: by this it is added once, and given back if nothing happened.
CREATE TABLE policy_counted (
    tenant_id       TEXT NOT NULL,
    run_id          TEXT NOT NULL,
    call_id         TEXT NOT NULL,
    name            TEXT NOT NULL,
    period_start_us BIGINT NOT NULL,
    amount          BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, call_id, name)
);
