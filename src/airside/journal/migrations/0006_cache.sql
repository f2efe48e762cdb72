-- Answers that are given again: the exact and the semantic cache. Content is sealed under the key of `owner` (a subject,
-- or the tenant's cache); `origin` is the subject whose call made the entry, so that erasing the subject finds it.

CREATE TABLE cache_entries (
    tenant_id     TEXT NOT NULL,
    entry_key     BYTEA NOT NULL,
    owner         TEXT NOT NULL,
    origin        TEXT NOT NULL,
    agent         TEXT NOT NULL,
    model         TEXT NOT NULL,
    part          BYTEA NOT NULL,
    embedder      TEXT NOT NULL,
    question_id   BYTEA NOT NULL,
    question      BYTEA NOT NULL,
    answer_id     BYTEA NOT NULL,
    answer        BYTEA NOT NULL,
    bytes         BIGINT NOT NULL,
    trials        TEXT NOT NULL,
    hits          BIGINT NOT NULL,
    created_us    BIGINT NOT NULL,
    expires_us    BIGINT NOT NULL,
    used_us       BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, entry_key)
);
CREATE INDEX cache_by_part ON cache_entries (tenant_id, part, created_us);
CREATE INDEX cache_by_use ON cache_entries (tenant_id, used_us);
CREATE INDEX cache_by_origin ON cache_entries (tenant_id, origin);

-- What a tenant's semantic cache has learned about similarity, for each embedder.
CREATE TABLE cache_beliefs (
    tenant_id     TEXT NOT NULL,
    embedder      TEXT NOT NULL,
    belief        TEXT NOT NULL,
    PRIMARY KEY (tenant_id, embedder)
);

-- What the caches have saved, by day (days since 1970, UTC), agent and kind of cache.
CREATE TABLE cache_totals (
    tenant_id     TEXT NOT NULL,
    day           BIGINT NOT NULL,
    agent         TEXT NOT NULL,
    kind          TEXT NOT NULL,
    hits          BIGINT NOT NULL,
    tokens        BIGINT NOT NULL,
    nanousd       BIGINT NOT NULL,
    trials        BIGINT NOT NULL,
    wrong         BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, day, agent, kind)
);
