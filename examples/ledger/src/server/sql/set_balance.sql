-- $1 name, $2 balance.
UPDATE accounts SET balance = $2 WHERE name = $1
