-- name: migrations
-- What the schema has seen.
SELECT number, name FROM schema_migrations ORDER BY number

-- name: integrity
-- The database's own check of its pages; Postgres has none that a statement could run.
SELECT 'ok' AS integrity_check

-- name: integrity (sqlite)
PRAGMA integrity_check

-- name: calls_without_entries
-- Calls whose entries do not tell what their row says. A call that never left has no executor, and a refusal instead.
WITH written AS (
    SELECT tenant_id, run_id, call_id,
           sum(CASE WHEN type = 'call.intent' THEN 1 ELSE 0 END) AS intents,
           sum(CASE WHEN type = 'call.outcome' THEN 1 ELSE 0 END) AS outcomes,
           sum(CASE WHEN type = 'call.refused' THEN 1 ELSE 0 END) AS refusals
    FROM entries WHERE call_id <> '' GROUP BY tenant_id, run_id, call_id)
SELECT c.tenant_id, c.run_id, c.call_id, c.state,
       coalesce(w.intents, 0) AS intents, coalesce(w.outcomes, 0) AS outcomes, coalesce(w.refusals, 0) AS refusals
FROM calls c
LEFT JOIN written w ON w.tenant_id = c.tenant_id AND w.run_id = c.run_id AND w.call_id = c.call_id
WHERE (c.executor_id <> '' AND coalesce(w.intents, 0) = 0)
   OR (c.executor_id <> '' AND c.state <> 'open' AND coalesce(w.outcomes, 0) = 0)
   OR (c.executor_id = '' AND coalesce(w.refusals, 0) = 0)
   OR coalesce(w.outcomes, 0) > coalesce(w.intents, 0)
ORDER BY c.tenant_id, c.run_id, c.call_id LIMIT :findings_max

-- name: entries_without_calls
-- Intents and outcomes whose call has no row.
SELECT DISTINCT e.tenant_id, e.run_id, e.call_id FROM entries e
WHERE e.type IN ('call.intent', 'call.outcome') AND NOT EXISTS (
    SELECT 1 FROM calls c WHERE c.tenant_id = e.tenant_id AND c.run_id = e.run_id AND c.call_id = e.call_id)
ORDER BY e.tenant_id, e.run_id, e.call_id LIMIT :findings_max

-- name: budgets (postgres)
-- Nodes whose totals are not those of the calls on their paths: reserved by open calls, spent by what was settled.
-- Every intent is one reservation; those of a call that is open have been settled but the last.
WITH sent AS (
    SELECT tenant_id, run_id, call_id, count(*) AS intents
    FROM entries WHERE type = 'call.intent' GROUP BY tenant_id, run_id, call_id),
charged AS (
    SELECT c.tenant_id, n.node,
           sum(c.reserved_nanousd) AS reserved_nanousd, sum(c.reserved_tokens) AS reserved_tokens,
           sum(CASE WHEN c.state = 'open' THEN 1 ELSE 0 END) AS reserved_calls,
           sum(c.cost_nanousd) AS spent_nanousd, sum(c.tokens) AS spent_tokens,
           sum(coalesce(s.intents, 0) - CASE WHEN c.state = 'open' THEN 1 ELSE 0 END) AS spent_calls
    FROM calls c
    CROSS JOIN LATERAL json_array_elements_text(c.budget_path::json) AS n (node)
    LEFT JOIN sent s ON s.tenant_id = c.tenant_id AND s.run_id = c.run_id AND s.call_id = c.call_id
    WHERE c.executor_id <> '' GROUP BY c.tenant_id, n.node)
SELECT n.tenant_id, n.node,
       b.reserved_nanousd, b.reserved_tokens, b.reserved_calls, b.spent_nanousd, b.spent_tokens, b.spent_calls,
       coalesce(x.reserved_nanousd, 0) AS due_reserved_nanousd, coalesce(x.reserved_tokens, 0) AS due_reserved_tokens,
       coalesce(x.reserved_calls, 0) AS due_reserved_calls, coalesce(x.spent_nanousd, 0) AS due_spent_nanousd,
       coalesce(x.spent_tokens, 0) AS due_spent_tokens, coalesce(x.spent_calls, 0) AS due_spent_calls
FROM (SELECT tenant_id, node FROM budgets UNION SELECT tenant_id, node FROM charged) AS n
LEFT JOIN budgets b ON b.tenant_id = n.tenant_id AND b.node = n.node
LEFT JOIN charged x ON x.tenant_id = n.tenant_id AND x.node = n.node
WHERE b.node IS NULL
   OR b.reserved_nanousd <> coalesce(x.reserved_nanousd, 0) OR b.reserved_tokens <> coalesce(x.reserved_tokens, 0)
   OR b.reserved_calls <> coalesce(x.reserved_calls, 0) OR b.spent_nanousd <> coalesce(x.spent_nanousd, 0)
   OR b.spent_tokens <> coalesce(x.spent_tokens, 0) OR b.spent_calls <> coalesce(x.spent_calls, 0)
LIMIT :findings_max

-- name: budgets (sqlite)
-- Nodes whose totals are not those of the calls on their paths: reserved by open calls, spent by what was settled.
-- Every intent is one reservation; those of a call that is open have been settled but the last.
WITH sent AS (
    SELECT tenant_id, run_id, call_id, count(*) AS intents
    FROM entries WHERE type = 'call.intent' GROUP BY tenant_id, run_id, call_id),
charged AS (
    SELECT c.tenant_id, n.value AS node,
           sum(c.reserved_nanousd) AS reserved_nanousd, sum(c.reserved_tokens) AS reserved_tokens,
           sum(CASE WHEN c.state = 'open' THEN 1 ELSE 0 END) AS reserved_calls,
           sum(c.cost_nanousd) AS spent_nanousd, sum(c.tokens) AS spent_tokens,
           sum(coalesce(s.intents, 0) - CASE WHEN c.state = 'open' THEN 1 ELSE 0 END) AS spent_calls
    FROM calls c
    CROSS JOIN json_each(c.budget_path) AS n
    LEFT JOIN sent s ON s.tenant_id = c.tenant_id AND s.run_id = c.run_id AND s.call_id = c.call_id
    WHERE c.executor_id <> '' GROUP BY c.tenant_id, n.value)
SELECT n.tenant_id, n.node,
       b.reserved_nanousd, b.reserved_tokens, b.reserved_calls, b.spent_nanousd, b.spent_tokens, b.spent_calls,
       coalesce(x.reserved_nanousd, 0) AS due_reserved_nanousd, coalesce(x.reserved_tokens, 0) AS due_reserved_tokens,
       coalesce(x.reserved_calls, 0) AS due_reserved_calls, coalesce(x.spent_nanousd, 0) AS due_spent_nanousd,
       coalesce(x.spent_tokens, 0) AS due_spent_tokens, coalesce(x.spent_calls, 0) AS due_spent_calls
FROM (SELECT tenant_id, node FROM budgets UNION SELECT tenant_id, node FROM charged) AS n
LEFT JOIN budgets b ON b.tenant_id = n.tenant_id AND b.node = n.node
LEFT JOIN charged x ON x.tenant_id = n.tenant_id AND x.node = n.node
WHERE b.node IS NULL
   OR b.reserved_nanousd <> coalesce(x.reserved_nanousd, 0) OR b.reserved_tokens <> coalesce(x.reserved_tokens, 0)
   OR b.reserved_calls <> coalesce(x.reserved_calls, 0) OR b.spent_nanousd <> coalesce(x.spent_nanousd, 0)
   OR b.spent_tokens <> coalesce(x.spent_tokens, 0) OR b.spent_calls <> coalesce(x.spent_calls, 0)
LIMIT :findings_max

-- name: leaks
-- Calls that still hold a reservation although their run ended a while ago.
SELECT c.tenant_id, c.run_id, c.call_id, r.state FROM calls c
JOIN runs r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
WHERE c.state = 'open' AND r.ended_us <= :ended_before_us
ORDER BY c.tenant_id, c.run_id, c.call_id LIMIT :findings_max

-- name: reservations_of_closed_calls
-- Closed calls that still carry a reservation.
SELECT tenant_id, run_id, call_id, state FROM calls
WHERE state <> 'open' AND (reserved_nanousd <> 0 OR reserved_tokens <> 0)
ORDER BY tenant_id, run_id, call_id LIMIT :findings_max

-- name: versions
-- Runs whose transitions are not all in the journal.
SELECT r.tenant_id, r.run_id, r.version, count(e.entry_id) AS entries
FROM runs r 
LEFT JOIN entries e ON e.tenant_id = r.tenant_id AND e.run_id = r.run_id
    AND e.type NOT IN ('call.intent', 'call.outcome') AND e.type = 'run.state'
GROUP BY r.tenant_id, r.run_id, r.version
HAVING count(e.entry_id) <> r.version
ORDER BY r.tenant_id, r.run_id LIMIT :findings_max

-- name: attempts
-- Runs whose attempts are not numbered 1, 2, … up to the run's own number, or that have more than one live attempt.
SELECT r.tenant_id, r.run_id, r.attempt, count(a.attempt) AS attempts, coalesce(max(a.attempt), 0) AS last,
       coalesce(sum(CASE WHEN a.attempt IS NOT NULL AND a.ended_us IS NULL THEN 1 ELSE 0 END), 0) AS live
FROM runs r LEFT JOIN attempts a ON a.tenant_id = r.tenant_id AND a.run_id = r.run_id
GROUP BY r.tenant_id, r.run_id, r.attempt
HAVING count(a.attempt) <> r.attempt OR coalesce(max(a.attempt), 0) <> r.attempt
    OR sum(CASE WHEN a.attempt IS NOT NULL AND a.ended_us IS NULL THEN 1 ELSE 0 END) > 1
ORDER BY r.tenant_id, r.run_id LIMIT :findings_max

-- name: contents_missing
-- Contents that a row names and that are not there, unless the subject was erased.
WITH named AS (
    SELECT tenant_id, run_id, 'input' AS what, input AS content_id FROM runs
    UNION ALL SELECT tenant_id, run_id, 'result', result FROM runs
    UNION ALL SELECT tenant_id, run_id, approval_id, arguments FROM approvals
    UNION ALL SELECT tenant_id, run_id, approval_id, edited_arguments FROM approvals)
SELECT n.tenant_id, n.run_id, n.what FROM named n
JOIN runs r ON r.tenant_id = n.tenant_id AND r.run_id = n.run_id
WHERE length(n.content_id) > 0
  AND NOT EXISTS (SELECT 1 FROM subject_keys k
                  WHERE k.tenant_id = r.tenant_id AND k.subject = r.subject AND length(k.wrapped) = 0)
  AND NOT EXISTS (SELECT 1 FROM contents c
                  WHERE c.tenant_id = n.tenant_id AND c.subject = r.subject AND c.content_id = n.content_id)
ORDER BY n.tenant_id, n.run_id, n.what LIMIT :findings_max

-- name: answers_missing
-- Answers that a call's row names and that are not there, unless the subject was erased.
SELECT c.tenant_id, c.run_id, c.call_id FROM calls c
JOIN runs r ON r.tenant_id = c.tenant_id AND r.run_id = c.run_id
WHERE length(c.outcome) > 0
  AND NOT EXISTS (SELECT 1 FROM subject_keys k
                  WHERE k.tenant_id = r.tenant_id AND k.subject = r.subject AND length(k.wrapped) = 0)
  AND NOT EXISTS (SELECT 1 FROM answers a
                  WHERE a.tenant_id = c.tenant_id AND a.call_id = c.call_id AND a.content_id = c.outcome)
ORDER BY c.tenant_id, c.run_id, c.call_id LIMIT :findings_max

-- name: entries_page
-- Entries after one, with the subject of their run and whether that subject was erased.
SELECT e.entry_id, e.tenant_id, e.run_id, e.call_id, e.type, e.version, e.body, r.subject,
       EXISTS (SELECT 1 FROM subject_keys k
               WHERE k.tenant_id = r.tenant_id AND k.subject = r.subject AND length(k.wrapped) = 0) AS erased
FROM entries e LEFT JOIN runs r ON r.tenant_id = e.tenant_id AND r.run_id = e.run_id
WHERE e.entry_id > :after ORDER BY e.entry_id LIMIT :page

-- name: content
-- Whether a content is there.
SELECT 1 AS found FROM contents WHERE tenant_id = :tenant_id AND subject = :subject AND content_id = :content_id

-- name: answer
-- Whether an answer of a call is there.
SELECT 1 AS found FROM answers WHERE tenant_id = :tenant_id AND call_id = :call_id AND content_id = :content_id

-- name: answers_page
-- Answers after one, with the state of their subject's key. An answer belongs to the subject of its call's run.
SELECT a.tenant_id, a.call_id, r.subject, a.content_id, a.sealed, length(k.wrapped) AS key_bytes
FROM answers a JOIN calls c ON c.tenant_id = a.tenant_id AND c.call_id = a.call_id
JOIN runs r ON r.tenant_id = a.tenant_id AND r.run_id = c.run_id
LEFT JOIN subject_keys k ON k.tenant_id = a.tenant_id AND k.subject = r.subject
WHERE (a.tenant_id, a.call_id, a.content_id) > (:tenant_id, :call_id, :content_id)
ORDER BY a.tenant_id, a.call_id, a.content_id LIMIT :page

-- name: contents_page
-- Contents after one, with the state of their subject's key.
SELECT c.tenant_id, c.subject, c.content_id, c.sealed, length(k.wrapped) AS key_bytes
FROM contents c LEFT JOIN subject_keys k ON k.tenant_id = c.tenant_id AND k.subject = c.subject
WHERE (c.tenant_id, c.subject, c.content_id) > (:tenant_id, :subject, :content_id)
ORDER BY c.tenant_id, c.subject, c.content_id LIMIT :page
