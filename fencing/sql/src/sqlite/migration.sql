-- The highest token of each resource. A row is never deleted and never expires.
CREATE TABLE redfence_fence (
    resource TEXT NOT NULL PRIMARY KEY,
    token INTEGER NOT NULL CHECK (token BETWEEN 1 AND 9007199254740991)
) WITHOUT ROWID
