-- The review queue in full: risk, votes, escalation, links, notices, endorsements, comments, and known-bad proposals.

-- `rank_us` orders by risk and age (see runs/reviewing/risk.py); `about` is JSON of what was known at asking, without
-- values. `required` people must agree; `step` steps of the escalation chain are reached, and those from `floor` on may
-- decide; `escalate_us` is when the next is. `confidence` is what the agent said, `calibrated` what that was worth.
ALTER TABLE approvals ADD COLUMN risk BIGINT NOT NULL DEFAULT 0;
ALTER TABLE approvals ADD COLUMN rank_us BIGINT NOT NULL DEFAULT 0;
ALTER TABLE approvals ADD COLUMN about TEXT NOT NULL DEFAULT '{}';
ALTER TABLE approvals ADD COLUMN tool_hash BYTEA;
ALTER TABLE approvals ADD COLUMN required BIGINT NOT NULL DEFAULT 1;
ALTER TABLE approvals ADD COLUMN step BIGINT NOT NULL DEFAULT 0;
ALTER TABLE approvals ADD COLUMN floor BIGINT NOT NULL DEFAULT 0;
ALTER TABLE approvals ADD COLUMN escalate_us BIGINT;
ALTER TABLE approvals ADD COLUMN confidence DOUBLE PRECISION;
ALTER TABLE approvals ADD COLUMN calibrated DOUBLE PRECISION;
CREATE INDEX approvals_by_rank ON approvals (tenant_id, state, rank_us, approval_id);
CREATE INDEX approvals_by_time ON approvals (tenant_id, requested_us, approval_id);

-- Manifests of tools as they were when approvals were asked for, each once: edits are checked against them.
CREATE TABLE approval_tools (
    tenant_id     TEXT NOT NULL,
    tool_hash     BYTEA NOT NULL,
    manifest      TEXT NOT NULL,
    PRIMARY KEY (tenant_id, tool_hash)
);

-- One voice a person. `arguments` is the content id of what was agreed to.
CREATE TABLE approval_votes (
    tenant_id     TEXT NOT NULL,
    approval_id   TEXT NOT NULL,
    reviewer      TEXT NOT NULL,
    key_id        TEXT NOT NULL,
    arguments     BYTEA NOT NULL,
    at_us         BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, approval_id, reviewer)
);

CREATE TABLE approval_comments (
    tenant_id     TEXT NOT NULL,
    approval_id   TEXT NOT NULL,
    comment_id    TEXT NOT NULL,
    reviewer      TEXT NOT NULL,
    content       BYTEA NOT NULL,
    at_us         BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, approval_id, comment_id)
);

-- Values that a person vouched for, for one run; `content` is the value's content id.
CREATE TABLE endorsements (
    tenant_id     TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    content       BYTEA NOT NULL,
    approval_id   TEXT NOT NULL,
    argument      TEXT NOT NULL,
    reviewer      TEXT NOT NULL,
    at_us         BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, run_id, content)
);

-- Signed links that were used, until they would have expired anyway.
CREATE TABLE approval_links (
    tenant_id     TEXT NOT NULL,
    nonce         TEXT NOT NULL,
    expires_us    BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, nonce)
);

-- Outbox of what reviewers are told.
CREATE TABLE approval_notices (
    tenant_id     TEXT NOT NULL,
    notice_id     TEXT NOT NULL,
    approval_id   TEXT NOT NULL,
    step          BIGINT NOT NULL,
    target        TEXT NOT NULL,
    tries         BIGINT NOT NULL,
    due_us        BIGINT NOT NULL,
    state         TEXT NOT NULL,
    last_error    TEXT NOT NULL,
    PRIMARY KEY (tenant_id, notice_id)
);
CREATE INDEX approval_notices_due ON approval_notices (state, due_us);

-- Proposals known to be bad. They stand in a table of their own, because the pipeline looks for approvals in
-- `approvals` alone: nothing that is decided here can ever let a call leave. `run_id` names no run; what is shown as
-- evidence comes from `source_run_id` before `source_us`, if there is one.
CREATE TABLE approval_seeds (
    tenant_id     TEXT NOT NULL,
    approval_id   TEXT NOT NULL,
    run_id        TEXT NOT NULL,
    source_run_id TEXT NOT NULL,
    source_us     BIGINT NOT NULL,
    agent         TEXT NOT NULL,
    subject       TEXT NOT NULL,
    labels        TEXT NOT NULL,
    tool          TEXT NOT NULL,
    arguments     BYTEA NOT NULL,
    edited_arguments BYTEA,
    decision      TEXT NOT NULL,
    state         TEXT NOT NULL,
    reason        TEXT NOT NULL,
    decided_by    TEXT NOT NULL,
    requested_us  BIGINT NOT NULL,
    decide_by_us  BIGINT NOT NULL,
    decided_us    BIGINT,
    risk          BIGINT NOT NULL,
    rank_us       BIGINT NOT NULL,
    about         TEXT NOT NULL,
    tool_hash     BYTEA,
    required      BIGINT NOT NULL,
    step          BIGINT NOT NULL,
    floor         BIGINT NOT NULL,
    escalate_us   BIGINT,
    confidence    DOUBLE PRECISION,
    calibrated    DOUBLE PRECISION,
    PRIMARY KEY (tenant_id, approval_id)
);
CREATE INDEX approval_seeds_state ON approval_seeds (state, decide_by_us);

-- The queue as reviewers see it. `seeded` is told once an item is decided.
CREATE VIEW review_queue AS
SELECT a.tenant_id, a.approval_id, a.run_id, r.agent, r.subject, r.labels, a.tool, a.arguments, a.edited_arguments,
    a.decision, a.state, a.reason, a.decided_by, a.requested_us, a.decide_by_us, a.decided_us, a.use_by_us,
    a.consumed_by, a.risk, a.rank_us, a.about, a.tool_hash, a.required, a.step, a.floor, a.escalate_us, a.confidence,
    a.calibrated, a.run_id AS source_run_id, a.requested_us AS source_us, r.state AS run_state, 0 AS seeded
FROM approvals a JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = a.run_id
UNION ALL
SELECT s.tenant_id, s.approval_id, s.run_id, s.agent, s.subject, s.labels, s.tool, s.arguments, s.edited_arguments,
    s.decision, s.state, s.reason, s.decided_by, s.requested_us, s.decide_by_us, s.decided_us, NULL,
    '', s.risk, s.rank_us, s.about, s.tool_hash, s.required, s.step, s.floor, s.escalate_us, s.confidence,
    s.calibrated, s.source_run_id, s.source_us, 'waiting_approval', 1
FROM approval_seeds s;
