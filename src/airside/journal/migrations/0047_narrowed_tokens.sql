-- Tokens that attempts have made from their own, for sub-agents that may do less. `tools` is a JSON list of names, `rules` a
-- JSON list of policies (as texts) that narrow, those of the token it was made from included. Only the SHA-256 is kept.
CREATE TABLE narrowed_tokens (
    tenant_id     TEXT NOT NULL,
    token_hash    BYTEA NOT NULL UNIQUE,
    run_id        TEXT NOT NULL,
    attempt       BIGINT NOT NULL,
    tools         TEXT NOT NULL,
    rules         TEXT NOT NULL,
    until_us      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, attempt, token_hash)
);
