-- Statements of the review queue.

-- name: add_tool
INSERT INTO approval_tools (tenant_id, tool_hash, manifest) VALUES (:tenant_id, :tool_hash, :manifest)
ON CONFLICT (tenant_id, tool_hash) DO NOTHING

-- name: tool
SELECT manifest FROM approval_tools WHERE tenant_id = :tenant_id AND tool_hash = :tool_hash

-- name: add_notice
INSERT INTO approval_notices (tenant_id, notice_id, approval_id, step, target, tries, due_us, state, last_error)
VALUES (:tenant_id, :notice_id, :approval_id, :step, :target, 0, :due_us, 'due', '')

-- name: vote
-- One voice a person; another edit takes the place of the one they agreed to before.
INSERT INTO approval_votes (tenant_id, approval_id, reviewer, key_id, arguments, at_us)
VALUES (:tenant_id, :approval_id, :reviewer, :key_id, :arguments, :now_us)
ON CONFLICT (tenant_id, approval_id, reviewer)
DO UPDATE SET key_id = excluded.key_id, arguments = excluded.arguments, at_us = excluded.at_us

-- name: votes
SELECT reviewer, arguments, at_us FROM approval_votes
WHERE tenant_id = :tenant_id AND approval_id = :approval_id ORDER BY at_us, reviewer

-- name: submitter
-- The first transition of a run names who submitted it; a part of another run was submitted with that one.
SELECT e.body, r.parent_run_id FROM entries e
JOIN runs r ON r.tenant_id = e.tenant_id AND r.run_id = e.run_id
WHERE e.tenant_id = :tenant_id AND e.run_id = :run_id AND e.type = 'run.state'
    AND e.type NOT IN ('call.intent', 'call.outcome') ORDER BY e.entry_id LIMIT 1

-- name: use_link
INSERT INTO approval_links (tenant_id, nonce, expires_us) VALUES (:tenant_id, :nonce, :expires_us)
ON CONFLICT (tenant_id, nonce) DO NOTHING

-- name: forget_links
DELETE FROM approval_links WHERE expires_us < :now_us

-- name: endorse
INSERT INTO endorsements (tenant_id, run_id, content, approval_id, argument, reviewer, at_us)
VALUES (:tenant_id, :run_id, :content, :approval_id, :argument, :reviewer, :now_us)
ON CONFLICT (tenant_id, run_id, content) DO NOTHING

-- name: endorsed_of
SELECT argument, reviewer, at_us FROM endorsements
WHERE tenant_id = :tenant_id AND approval_id = :approval_id ORDER BY at_us, argument LIMIT 200

-- name: count_endorsed
SELECT count(*) AS n FROM endorsements WHERE tenant_id = :tenant_id AND run_id = :run_id

-- name: comment
INSERT INTO approval_comments (tenant_id, approval_id, comment_id, reviewer, content, at_us)
VALUES (:tenant_id, :approval_id, :comment_id, :reviewer, :content, :now_us)

-- name: count_comments
SELECT count(*) AS n FROM approval_comments WHERE tenant_id = :tenant_id AND approval_id = :approval_id

-- name: comments
SELECT m.comment_id, m.reviewer, m.at_us, m.content, c.sealed FROM approval_comments m
LEFT JOIN contents c ON c.tenant_id = m.tenant_id AND c.subject = :subject AND c.content_id = m.content
WHERE m.tenant_id = :tenant_id AND m.approval_id = :approval_id ORDER BY m.at_us, m.comment_id LIMIT 200

-- name: climbing
-- What has waited long enough for the next step of the chain.
SELECT tenant_id, approval_id, step, requested_us FROM approvals
WHERE state = 'pending' AND escalate_us <= :now_us
UNION ALL
SELECT tenant_id, approval_id, step, requested_us FROM approval_seeds
WHERE state = 'pending' AND escalate_us <= :now_us
ORDER BY requested_us LIMIT 100

-- name: climb
UPDATE approvals SET step = :step + 1, escalate_us = :escalate_us
WHERE tenant_id = :tenant_id AND approval_id = :approval_id AND state = 'pending' AND step = :step

-- name: climb_seed
UPDATE approval_seeds SET step = :step + 1, escalate_us = :escalate_us
WHERE tenant_id = :tenant_id AND approval_id = :approval_id AND state = 'pending' AND step = :step
