-- What people set about budgets while airside runs, and which levels were reached. Money is nano-dollars.

-- Limits that stand instead of those of the settings. scope is a node without its period: customer:acme.
CREATE TABLE budget_limits (
    tenant_id     TEXT NOT NULL,
    scope         TEXT NOT NULL,
    period        TEXT NOT NULL,
    carry_over    BIGINT NOT NULL,
    limit_nanousd BIGINT,
    limit_tokens  BIGINT,
    limit_calls   BIGINT,
    set_by        TEXT NOT NULL,
    set_us        BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, scope)
);

-- What was added to the dollars of one node beside its limit: top-ups, and what was carried over from or to another
-- period (negative where it left). A node's limit is that of its scope plus the sum of these.
CREATE TABLE budget_credits (
    tenant_id     TEXT NOT NULL,
    credit_id     TEXT NOT NULL,
    node          TEXT NOT NULL,
    nanousd       BIGINT NOT NULL,
    note          TEXT NOT NULL,
    given_by      TEXT NOT NULL,
    given_us      BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, credit_id)
);
CREATE INDEX budget_credits_by_node ON budget_credits (tenant_id, node, given_us);

-- Levels that were reached: a row makes sure that each is told once, whichever process sees it. A limit that was
-- changed is another limit, and its levels are told anew.
CREATE TABLE budget_levels (
    tenant_id     TEXT NOT NULL,
    node          TEXT NOT NULL,
    dimension     TEXT NOT NULL,
    level         TEXT NOT NULL,
    limit_amount  BIGINT NOT NULL,
    spent         BIGINT NOT NULL,
    at_us         BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, node, dimension, level, limit_amount)
);
