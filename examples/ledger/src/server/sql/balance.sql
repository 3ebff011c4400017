-- $1 name.
SELECT balance FROM accounts WHERE name = $1
