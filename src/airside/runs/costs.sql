-- What runs cost, by whatever tells them apart. A run counts in full where it was submitted; calls carry what was
-- settled. Sums are taken in whole dollars and the rest apart, so that none overflows and all are exact. The 95th
-- percentile is the value of the run at place ceil(0.95 n) in their order.

-- name: costs
-- {item} is what tells apart, {only} which calls count.
SELECT * FROM (
    SELECT g.item, count(*) AS runs, sum(g.calls) AS calls, sum(g.tokens) AS tokens,
        sum(g.whole) AS whole, sum(g.nano) AS nano, sum(g.whole) * 1000000000 + sum(g.nano) AS nanousd,
        max(CASE WHEN g.tokens_place = (95 * g.runs_of + 99) / 100 THEN g.tokens END) AS tokens_p95,
        max(CASE WHEN g.cost_place = (95 * g.runs_of + 99) / 100 THEN g.cost END) AS nanousd_p95
    FROM (
        SELECT p.*, row_number() OVER (PARTITION BY p.item ORDER BY p.tokens, p.run_id) AS tokens_place,
            row_number() OVER (PARTITION BY p.item ORDER BY p.cost, p.run_id) AS cost_place,
            count(*) OVER (PARTITION BY p.item) AS runs_of
        FROM (
            SELECT {item} AS item, r.run_id, count(c.call_id) AS calls,
                CAST(coalesce(sum(c.cost_nanousd / 1000000000), 0) AS BIGINT) AS whole,
                CAST(coalesce(sum(c.cost_nanousd % 1000000000), 0) AS BIGINT) AS nano,
                CAST(coalesce(sum(c.cost_nanousd / 1000000000), 0) * 1000000000
                    + coalesce(sum(c.cost_nanousd % 1000000000), 0) AS BIGINT) AS cost,
                CAST(coalesce(sum(c.tokens), 0) AS BIGINT) AS tokens
            FROM runs r LEFT JOIN calls c ON c.tenant_id = r.tenant_id AND c.run_id = r.run_id {only}
            WHERE r.tenant_id = :tenant_id AND r.created_us >= :since_us AND r.created_us < :until_us
            GROUP BY 1, r.run_id
        ) AS p
        WHERE p.item IS NOT NULL
    ) AS g
    GROUP BY g.item
) AS t
WHERE t.nanousd < :before OR (t.nanousd = :before AND t.item > :after)
ORDER BY t.nanousd DESC, t.item LIMIT :n
