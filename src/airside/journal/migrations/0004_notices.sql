-- When operators were last told of something, so that all processes together tell them once in a while and not always.
CREATE TABLE notices (
    tenant_id     TEXT NOT NULL,
    kind          TEXT NOT NULL,
    key           TEXT NOT NULL,
    told_us       BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, kind, key)
);
