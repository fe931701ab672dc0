CREATE TABLE users (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    email      TEXT    NOT NULL,
    created_on TEXT    NOT NULL,
    revision   INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE profiles (
    user_id INTEGER PRIMARY KEY REFERENCES users (id),
    region  TEXT NOT NULL,
    segment TEXT NOT NULL
) STRICT;

CREATE TABLE orders (
    id           INTEGER PRIMARY KEY,
    user_id      INTEGER NOT NULL REFERENCES users (id),
    placed_on    TEXT    NOT NULL,
    category     TEXT    NOT NULL,
    amount_cents INTEGER NOT NULL CHECK (amount_cents > 0)
) STRICT;

-- One row: the settings of the whole service.
CREATE TABLE settings (
    id                  INTEGER PRIMARY KEY CHECK (id = 1),
    site_name           TEXT    NOT NULL,
    currency            TEXT    NOT NULL,
    free_shipping_cents INTEGER NOT NULL,
    maintenance         INTEGER NOT NULL,
    revision            INTEGER NOT NULL DEFAULT 1
) STRICT;

-- A token is a password for a day, so only its SHA-256 is kept.
CREATE TABLE sessions (
    token_hash BLOB    PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id),
    created_at TEXT    NOT NULL,
    expires_at TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
