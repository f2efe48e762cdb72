-- What mining reads.

-- name: succeeded
-- The latest runs of an agent that went well.
SELECT run_id, subject FROM runs
WHERE tenant_id = :tenant_id AND agent = :agent AND state = 'succeeded' ORDER BY created_us DESC, run_id DESC LIMIT :n

-- name: effects
-- The calls of a run that changed something, each with the intent that names its arguments and what was decided.
SELECT c.name, c.effect, c.call_id, e.body
FROM calls c CROSS JOIN entries e -- which has SQLite begin with the run's calls
WHERE c.tenant_id = :tenant_id AND c.run_id = :run_id AND c.kind = 'tool' AND c.state = 'ok' AND c.effect <> 'read'
    AND e.tenant_id = c.tenant_id AND e.call_id = c.call_id AND e.type = 'call.intent'
    AND e.entry_id = (SELECT max(i.entry_id) FROM entries i WHERE i.tenant_id = c.tenant_id AND i.call_id = c.call_id
        AND i.type = 'call.intent')
ORDER BY c.opened_us, c.call_id LIMIT :n

-- name: content
SELECT sealed FROM contents WHERE tenant_id = :tenant_id AND subject = :subject AND content_id = :content_id

-- name: plan
SELECT r.subject, p.content, c.sealed FROM plans p
JOIN runs r ON r.tenant_id = p.tenant_id AND r.run_id = p.run_id
JOIN contents c ON c.tenant_id = p.tenant_id AND c.subject = r.subject AND c.content_id = p.content
WHERE p.tenant_id = :tenant_id AND p.run_id = :run_id
