CREATE TABLE orders (
    id text COLLATE "C" PRIMARY KEY,
    value bigint NOT NULL,
    token bigint NOT NULL DEFAULT 0
)
