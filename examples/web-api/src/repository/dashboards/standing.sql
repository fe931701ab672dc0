-- The user's place among the people of the region: ?1 the user, ?2 and ?3 the first and the last day.
WITH spending AS (
    SELECT peer.user_id,
           COUNT(orders.id)                      AS orders,
           COALESCE(SUM(orders.amount_cents), 0) AS revenue_cents,
           MAX(orders.id)                        AS latest_order
    FROM profiles AS mine
    JOIN profiles AS peer ON peer.region = mine.region
    LEFT JOIN orders ON orders.user_id = peer.user_id AND orders.placed_on BETWEEN ?2 AND ?3
    WHERE mine.user_id = ?1
    GROUP BY peer.user_id
),
ranked AS (
    SELECT *,
           COUNT(*) OVER ()                             AS peers,
           AVG(revenue_cents) OVER ()                   AS average_cents,
           RANK() OVER (ORDER BY revenue_cents DESC)    AS rank,
           PERCENT_RANK() OVER (ORDER BY revenue_cents) AS percentile,
           NTILE(2) OVER (ORDER BY revenue_cents)       AS half
    FROM spending
)
SELECT profiles.region,
       ranked.peers,
       ranked.orders,
       ranked.revenue_cents,
       ranked.latest_order,
       ranked.rank,
       ranked.percentile,
       ranked.average_cents,
       (SELECT MAX(revenue_cents) FROM ranked WHERE half = 1) AS median_cents
FROM ranked
JOIN profiles ON profiles.user_id = ranked.user_id
WHERE ranked.user_id = ?1
