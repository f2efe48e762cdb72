-- Rate limits: token buckets from which processes lease slices. `level` is in thousandths of a request or token as of
-- `updated_us`; a bucket that is missing is full. tenant_id is '*' for limits by network address.
CREATE TABLE rates (
    tenant_id     TEXT NOT NULL,
    name          TEXT NOT NULL,
    level         BIGINT NOT NULL,
    updated_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, name)
);
