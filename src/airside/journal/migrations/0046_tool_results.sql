-- Results of reading tools that may be given again, sealed under the key of `owner`: the subject of the run, or the tenant's
-- cache where the manifest lets runs share. `origin` is the subject whose call made it, so that erasing it ends the result.
CREATE TABLE tool_results (
    tenant_id     TEXT NOT NULL,
    tool          TEXT NOT NULL,
    entry_key     BYTEA NOT NULL,
    owner         TEXT NOT NULL,
    origin        TEXT NOT NULL,
    content_id    BYTEA NOT NULL,
    sealed        BYTEA NOT NULL,
    bytes         BIGINT NOT NULL,
    hits          BIGINT NOT NULL,
    created_us    BIGINT NOT NULL,
    expires_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, tool, entry_key)
);
CREATE INDEX tool_results_by_age ON tool_results (tenant_id, created_us);
CREATE INDEX tool_results_expired ON tool_results (expires_us);

-- How often the results of a tool have been declared stale: what was asked before the last time is not kept after it.
CREATE TABLE tool_generations (
    tenant_id     TEXT NOT NULL,
    tool          TEXT NOT NULL,
    generation    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, tool)
);
