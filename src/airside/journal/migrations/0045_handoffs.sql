-- Tasks that runs have handed to other agents: by the parent's call, the run that does the task. `tools` is a JSON list of
-- the only tools that run may use, or empty for all of its agent's; `rules` is a JSON list of policies that narrow it, or empty; `depth` counts the handoffs above it.
CREATE TABLE handoffs (
    tenant_id     TEXT NOT NULL,
    call_id       TEXT NOT NULL,
    parent_run_id TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    tools         TEXT NOT NULL,
    rules         TEXT NOT NULL,
    depth         BIGINT NOT NULL,
    made_us       BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, call_id)
);
CREATE UNIQUE INDEX handoffs_by_run ON handoffs (tenant_id, run_id);
CREATE INDEX handoffs_by_parent ON handoffs (tenant_id, parent_run_id);
