-- What guards have found in a run: by guard, how many findings at least, and the score of the surest (0 to 1).
CREATE TABLE run_risks (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    guard         TEXT NOT NULL,
    findings      BIGINT NOT NULL,
    score         DOUBLE PRECISION NOT NULL,
    updated_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, guard)
);
