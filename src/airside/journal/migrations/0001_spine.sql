-- The spine: runs, attempts, calls, budgets, approvals and the journal. Read by SQLite and Postgres alike: SQLite takes
-- BIGINT as an integer and BYTEA as a blob. Instants are microseconds since 1970, UTC; money is nano-dollars.
-- tenant_id leads every key. What differs between the databases stands in 0001_spine.<database>.sql.

CREATE TABLE tenants (
    tenant_id     TEXT NOT NULL PRIMARY KEY,
    time_zone     TEXT NOT NULL,
    created_us    BIGINT NOT NULL
);

-- Management API keys and keys of outside programs. Only the SHA-256 of the secret is kept.
CREATE TABLE api_keys (
    tenant_id     TEXT NOT NULL,
    key_id        TEXT NOT NULL,
    name          TEXT NOT NULL,
    role          TEXT NOT NULL,
    secret_hash   BYTEA NOT NULL UNIQUE,
    created_us    BIGINT NOT NULL,
    revoked_us    BIGINT,
    PRIMARY KEY (tenant_id, key_id)
);

-- Data keys, one per subject, wrapped by the master key. Destroying a row erases the subject's content.
CREATE TABLE subject_keys (
    tenant_id     TEXT NOT NULL,
    subject       TEXT NOT NULL,
    wrapped       BYTEA NOT NULL,
    created_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, subject)
);

-- Immutable releases and the aliases that point at them.
CREATE TABLE releases (
    tenant_id     TEXT NOT NULL,
    fingerprint   TEXT NOT NULL,
    agent         TEXT NOT NULL,
    manifest      TEXT NOT NULL,
    created_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, fingerprint)
);
CREATE TABLE aliases (
    tenant_id     TEXT NOT NULL,
    agent         TEXT NOT NULL,
    alias         TEXT NOT NULL,
    fingerprint   TEXT NOT NULL,
    changed_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, agent, alias)
);

-- The state of record of every run. `version` grows by one with each transition, under the row's lock: it numbers the
-- run's events for SSE. `ready_us` is when a queued run may be dispatched. `suspend` asks the worker to end the attempt
-- and names the state to go to. `running_us` is the running time of ended attempts; `labels`, `budget_path` are JSON.
CREATE TABLE runs (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    parent_run_id TEXT,
    agent         TEXT NOT NULL,
    release       TEXT NOT NULL,
    subject       TEXT NOT NULL,
    state         TEXT NOT NULL,
    suspend       TEXT,
    version       BIGINT NOT NULL,
    priority      BIGINT NOT NULL,
    supervised    BIGINT NOT NULL,
    attempt       BIGINT NOT NULL,
    crashes       BIGINT NOT NULL,
    input         BYTEA NOT NULL,
    result        BYTEA,
    code          TEXT NOT NULL,
    message       TEXT NOT NULL,
    labels        TEXT NOT NULL,
    budget_path   TEXT NOT NULL,
    wall_us_max   BIGINT NOT NULL,
    running_us    BIGINT NOT NULL,
    created_us    BIGINT NOT NULL,
    ready_us      BIGINT NOT NULL,
    started_us    BIGINT,
    ended_us      BIGINT,
    webhook_url   TEXT,
    PRIMARY KEY (tenant_id, run_id)
);
CREATE INDEX runs_by_state ON runs (state, tenant_id, agent, priority, ready_us);
CREATE INDEX runs_by_time ON runs (tenant_id, created_us);

-- Executions of a run. The lease belongs to `worker_id`; `token_hash` is the SHA-256 of the run token.
CREATE TABLE attempts (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    attempt       BIGINT NOT NULL,
    worker_id     TEXT NOT NULL,
    token_hash    BYTEA NOT NULL UNIQUE,
    lease_until_us BIGINT NOT NULL,
    started_us    BIGINT NOT NULL,
    ended_us      BIGINT,
    end_reason    TEXT,
    PRIMARY KEY (tenant_id, run_id, attempt)
);
CREATE INDEX attempts_live ON attempts (lease_until_us) WHERE ended_us IS NULL;

-- Processes that execute: workers and gateways. One that stops renewing is dead, and its open calls are orphans.
CREATE TABLE executors (
    executor_id   TEXT NOT NULL PRIMARY KEY,
    kind          TEXT NOT NULL,
    releases      TEXT NOT NULL,
    lease_until_us BIGINT NOT NULL
);

-- One row per logical call: the index over the journal by which calls are replayed, joined and fenced. While the call
-- is open the row carries its reservation. `consumed` is the last attempt that was given this call. Ids of calls grow
-- with time, so what is keyed by them is written where the last ones were; the calls of a run are found by their request.
CREATE TABLE calls (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    call_id       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    name          TEXT NOT NULL,
    effect        TEXT NOT NULL,
    idempotent    BIGINT NOT NULL,
    state         TEXT NOT NULL,
    request_hash  BYTEA NOT NULL,
    occurrence    BIGINT NOT NULL,
    consumed      BIGINT NOT NULL,
    delivered     BIGINT NOT NULL,
    attempt       BIGINT NOT NULL,
    try_number    BIGINT NOT NULL,
    executor_id   TEXT NOT NULL,
    budget_path   TEXT NOT NULL,
    reserved_nanousd BIGINT NOT NULL,
    reserved_tokens  BIGINT NOT NULL,
    output_tokens_granted BIGINT NOT NULL,
    cost_nanousd  BIGINT NOT NULL,
    tokens        BIGINT NOT NULL,
    upstream      TEXT NOT NULL,
    code          TEXT NOT NULL,
    message       TEXT NOT NULL,
    outcome       BYTEA,
    approval_id   TEXT NOT NULL,
    edited        BIGINT NOT NULL,
    opened_us     BIGINT NOT NULL,
    closed_us     BIGINT,
    PRIMARY KEY (tenant_id, call_id)
);
CREATE UNIQUE INDEX calls_by_request ON calls (tenant_id, run_id, request_hash, occurrence);
CREATE INDEX calls_open ON calls (executor_id) WHERE state = 'open';

-- Budget nodes; null is no limit. See core/budget.py for the arithmetic.
CREATE TABLE budgets (
    tenant_id     TEXT NOT NULL,
    node          TEXT NOT NULL,
    limit_nanousd BIGINT,
    limit_tokens  BIGINT,
    limit_calls   BIGINT,
    limit_turn_tool_calls BIGINT,
    spent_nanousd BIGINT NOT NULL,
    spent_tokens  BIGINT NOT NULL,
    spent_calls   BIGINT NOT NULL,
    turn_tool_calls BIGINT NOT NULL,
    reserved_nanousd BIGINT NOT NULL,
    reserved_tokens  BIGINT NOT NULL,
    reserved_calls   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, node)
);

-- An approval covers one canonical call of one run. `request_hash` names the proposed call; `arguments` is its sealed
-- content id, `edited_arguments` that of the reviewer's edit. `claimed` is the last attempt that met it.
CREATE TABLE approvals (
    tenant_id     TEXT NOT NULL,
    approval_id   TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    call_id       TEXT NOT NULL,
    tool          TEXT NOT NULL,
    request_hash  BYTEA NOT NULL,
    canonical_version BIGINT NOT NULL,
    arguments     BYTEA NOT NULL,
    edited_arguments BYTEA,
    decision      TEXT NOT NULL,
    state         TEXT NOT NULL,
    claimed       BIGINT NOT NULL,
    reason        TEXT NOT NULL,
    decided_by    TEXT NOT NULL,
    requested_us  BIGINT NOT NULL,
    decide_by_us  BIGINT NOT NULL,
    decided_us    BIGINT,
    use_by_us     BIGINT,
    consumed_by   TEXT NOT NULL,
    PRIMARY KEY (tenant_id, approval_id)
);
CREATE INDEX approvals_by_run ON approvals (tenant_id, run_id);
CREATE INDEX approvals_pending ON approvals (state, decide_by_us);

-- Kills in force. scope is run, agent, tool, tenant or all; name is empty for tenant and all. tenant_id is empty for all.
CREATE TABLE kills (
    tenant_id     TEXT NOT NULL,
    scope         TEXT NOT NULL,
    name          TEXT NOT NULL,
    reason        TEXT NOT NULL,
    set_by        TEXT NOT NULL,
    set_us        BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, scope, name)
);

CREATE TABLE idempotency_keys (
    tenant_id     TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    body_hash     BYTEA NOT NULL,
    run_id        TEXT NOT NULL,
    expires_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, idempotency_key)
);

-- Outbox of webhooks, written in the transaction of the transition it tells of.
CREATE TABLE webhooks (
    tenant_id     TEXT NOT NULL,
    delivery_id   TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    url           TEXT NOT NULL,
    body          TEXT NOT NULL,
    tries         BIGINT NOT NULL,
    due_us        BIGINT NOT NULL,
    state         TEXT NOT NULL,
    last_error    TEXT NOT NULL,
    PRIMARY KEY (tenant_id, delivery_id)
);
CREATE INDEX webhooks_due ON webhooks (state, due_us);

-- The answers of calls, compressed and encrypted under the key of the run's subject; content_id is a keyed hash of the
-- plaintext. `calls.outcome` names the one that counts; others are those of earlier tries.
CREATE TABLE answers (
    tenant_id     TEXT NOT NULL,
    call_id       TEXT NOT NULL,
    content_id    BYTEA NOT NULL,
    sealed        BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, call_id, content_id)
);

-- Everything else that is sealed, each message once per subject however many calls hold it, named as answers are.
CREATE TABLE contents (
    tenant_id     TEXT NOT NULL,
    subject       TEXT NOT NULL,
    content_id    BYTEA NOT NULL,
    sealed        BYTEA NOT NULL,
    PRIMARY KEY (tenant_id, subject, content_id)
);
