-- $1 name, $2 balance.
INSERT INTO accounts (name, balance, opened_with) VALUES ($1, $2, $2)
