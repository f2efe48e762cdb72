-- Texts of which a person has said what guards must find in them, sealed under the key of whose text it was.
CREATE TABLE guard_cases (
    tenant_id     TEXT NOT NULL,
    case_id       TEXT NOT NULL,
    created_us    BIGINT NOT NULL,
    created_by    TEXT NOT NULL,
    subject       TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    place         TEXT NOT NULL,
    agent         TEXT NOT NULL,
    expect        BYTEA NOT NULL,
    because       TEXT NOT NULL,
    content_id    BYTEA NOT NULL,
    sealed        BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, case_id)
);
CREATE INDEX guard_cases_by_age ON guard_cases (tenant_id, created_us, case_id);
