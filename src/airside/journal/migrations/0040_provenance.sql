-- Where values come from: whom a run is for, who began it, which of its input others wrote, and what it has planned.

-- `principal` is a JSON object of what is known for certain of whom the run is for; `untrusted` a JSON list of the paths
-- in its input that are not the user's own words; `caller` the role of the key that began it.
ALTER TABLE runs ADD COLUMN principal TEXT NOT NULL DEFAULT '{}';
ALTER TABLE runs ADD COLUMN untrusted TEXT NOT NULL DEFAULT '[]';
ALTER TABLE runs ADD COLUMN caller TEXT NOT NULL DEFAULT '';

-- The plan that a run has committed itself to, once. `content` is its content id, `said_by` who gave it: submission or
-- agent.
CREATE TABLE plans (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    content       BYTEA NOT NULL,
    said_by       TEXT NOT NULL,
    committed_us  BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id)
);

-- Which step of its run's plan a call uses. A use counts while its attempt lasts, and for good once the call has begun.
CREATE TABLE plan_uses (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    call_id       TEXT NOT NULL,
    step          BIGINT NOT NULL,
    attempt       BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, call_id)
);
