CREATE TABLE accounts (
    name text COLLATE "C" PRIMARY KEY,
    balance bigint NOT NULL,
    opened_with bigint NOT NULL
);
-- Every transfer, written in the transaction that makes it.
CREATE TABLE transfers (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source text COLLATE "C" NOT NULL REFERENCES accounts (name),
    target text COLLATE "C" NOT NULL REFERENCES accounts (name),
    amount bigint NOT NULL,
    source_token bigint NOT NULL,
    target_token bigint NOT NULL,
    writer text NOT NULL
)
