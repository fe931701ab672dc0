-- Revenue by week, the user's and the region's: ?1 the user, ?2 and ?3 the first and the last day.
WITH by_week AS (
    SELECT CAST(julianday(?3) - julianday(orders.placed_on) AS INTEGER) / 7   AS weeks_ago,
           SUM(orders.amount_cents)                                           AS region_cents,
           SUM(orders.amount_cents) FILTER (WHERE orders.user_id = ?1)        AS revenue_cents
    FROM profiles AS mine
    JOIN profiles AS peer ON peer.region = mine.region
    JOIN orders ON orders.user_id = peer.user_id AND orders.placed_on BETWEEN ?2 AND ?3
    WHERE mine.user_id = ?1
    GROUP BY weeks_ago
),
people AS (
    SELECT COUNT(*) AS peers
    FROM profiles AS mine
    JOIN profiles AS peer ON peer.region = mine.region
    WHERE mine.user_id = ?1
)
SELECT weeks_ago,
       COALESCE(revenue_cents, 0)          AS revenue_cents,
       1.0 * region_cents / people.peers   AS average_cents,
       AVG(1.0 * region_cents / people.peers)
           OVER (ORDER BY weeks_ago DESC ROWS BETWEEN 3 PRECEDING AND CURRENT ROW) AS moving_average_cents
FROM by_week, people
ORDER BY weeks_ago DESC
