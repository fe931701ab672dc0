-- What the user and the region spend on each category: ?1 the user, ?2 and ?3 the first and the last day.
WITH by_category AS (
    SELECT orders.category,
           SUM(orders.amount_cents)                                AS region_cents,
           SUM(orders.amount_cents) FILTER (WHERE peer.user_id = ?1) AS revenue_cents
    FROM profiles AS mine
    JOIN profiles AS peer ON peer.region = mine.region
    JOIN orders ON orders.user_id = peer.user_id AND orders.placed_on BETWEEN ?2 AND ?3
    WHERE mine.user_id = ?1
    GROUP BY orders.category
)
SELECT category,
       COALESCE(revenue_cents, 0)                                                AS revenue_cents,
       COALESCE(1.0 * revenue_cents / SUM(revenue_cents) OVER (), 0.0)           AS share,
       1.0 * region_cents / SUM(region_cents) OVER ()                            AS region_share
FROM by_category
ORDER BY revenue_cents DESC, category
