-- Responses that their client has deleted: the journal keeps the call, but nothing may refer to the answer any more.
CREATE TABLE deleted_responses (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    call_id       TEXT NOT NULL,
    deleted_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, call_id)
);
