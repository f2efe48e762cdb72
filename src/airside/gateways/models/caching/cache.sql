-- Statements of the caches.

-- name: find
-- One answer, unless it has expired.
SELECT answer_id, answer, owner, origin, created_us, trials FROM cache_entries
WHERE tenant_id = :tenant_id AND entry_key = :entry_key AND expires_us > :now_us

-- name: put
-- The newest answer to a request counts; what an entry has learned about its question goes with the old answer.
INSERT INTO cache_entries (tenant_id, entry_key, owner, origin, agent, model, part, embedder, question_id, question,
    answer_id, answer, bytes, trials, hits, created_us, expires_us, used_us)
VALUES (:tenant_id, :entry_key, :owner, :origin, :agent, :model, :part, :embedder, :question_id, :question,
    :answer_id, :answer, :bytes, '[]', 0, :now_us, :expires_us, :now_us)
ON CONFLICT (tenant_id, entry_key) DO UPDATE SET owner = excluded.owner, origin = excluded.origin,
    part = excluded.part, embedder = excluded.embedder, question_id = excluded.question_id,
    question = excluded.question, answer_id = excluded.answer_id, answer = excluded.answer, bytes = excluded.bytes,
    trials = excluded.trials, created_us = excluded.created_us, expires_us = excluded.expires_us,
    used_us = excluded.used_us

-- name: used
UPDATE cache_entries SET hits = hits + :hits, used_us = :now_us
WHERE tenant_id = :tenant_id AND entry_key = :entry_key

-- name: drop
DELETE FROM cache_entries WHERE tenant_id = :tenant_id AND entry_key = :entry_key

-- name: part
-- The questions of one conversation state that came since a moment, the newest first.
SELECT entry_key, owner, question_id, question, trials, created_us FROM cache_entries
WHERE tenant_id = :tenant_id AND part = :part AND embedder = :embedder AND expires_us > :now_us
    AND created_us >= :since_us
ORDER BY created_us DESC LIMIT :n

-- name: trials
SELECT trials FROM cache_entries WHERE tenant_id = :tenant_id AND entry_key = :entry_key

-- name: set_trials
UPDATE cache_entries SET trials = :trials WHERE tenant_id = :tenant_id AND entry_key = :entry_key

-- name: belief
SELECT belief FROM cache_beliefs WHERE tenant_id = :tenant_id AND embedder = :embedder

-- name: beliefs
SELECT embedder, belief FROM cache_beliefs WHERE tenant_id = :tenant_id ORDER BY embedder

-- name: begin_belief
INSERT INTO cache_beliefs (tenant_id, embedder, belief) VALUES (:tenant_id, :embedder, :belief)
ON CONFLICT (tenant_id, embedder) DO NOTHING

-- name: hold_belief (sqlite)
SELECT belief FROM cache_beliefs WHERE tenant_id = :tenant_id AND embedder = :embedder

-- name: hold_belief (postgres)
-- Locked, so that observations of several processes add up.
SELECT belief FROM cache_beliefs WHERE tenant_id = :tenant_id AND embedder = :embedder FOR UPDATE

-- name: set_belief
UPDATE cache_beliefs SET belief = :belief WHERE tenant_id = :tenant_id AND embedder = :embedder

-- name: expired
DELETE FROM cache_entries WHERE tenant_id = :tenant_id AND expires_us <= :now_us

-- name: size
SELECT COUNT(*) AS entries, CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes
FROM cache_entries WHERE tenant_id = :tenant_id

-- name: oldest
-- The entries that were not used for longest.
SELECT entry_key, bytes FROM cache_entries WHERE tenant_id = :tenant_id ORDER BY used_us LIMIT 256

-- name: clear
DELETE FROM cache_entries WHERE tenant_id = :tenant_id AND (CAST(:agent AS TEXT) = '' OR agent = :agent)
    AND (CAST(:subject AS TEXT) = '' OR origin = :subject OR owner = :subject)

-- name: forget
DELETE FROM cache_beliefs WHERE tenant_id = :tenant_id

-- name: add_total
INSERT INTO cache_totals (tenant_id, day, agent, kind, hits, tokens, nanousd, trials, wrong)
VALUES (:tenant_id, :day, :agent, :kind, :hits, :tokens, :nanousd, :trials, :wrong)
ON CONFLICT (tenant_id, day, agent, kind) DO UPDATE SET hits = cache_totals.hits + excluded.hits,
    tokens = cache_totals.tokens + excluded.tokens, nanousd = cache_totals.nanousd + excluded.nanousd,
    trials = cache_totals.trials + excluded.trials, wrong = cache_totals.wrong + excluded.wrong

-- name: totals
SELECT kind, CAST(SUM(hits) AS BIGINT) AS hits, CAST(SUM(tokens) AS BIGINT) AS tokens,
    CAST(SUM(nanousd) AS BIGINT) AS nanousd, CAST(SUM(trials) AS BIGINT) AS trials, CAST(SUM(wrong) AS BIGINT) AS wrong
FROM cache_totals WHERE tenant_id = :tenant_id AND day >= :since_day AND (CAST(:agent AS TEXT) = '' OR agent = :agent)
GROUP BY kind ORDER BY kind
