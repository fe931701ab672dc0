-- Created after the tables are filled: building an index once is faster than keeping it up row by row.
CREATE UNIQUE INDEX users_by_email ON users (email);
CREATE INDEX profiles_by_region ON profiles (region);
CREATE INDEX orders_by_user_and_day ON orders (user_id, placed_on);

ANALYZE;
