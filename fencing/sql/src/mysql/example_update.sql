-- The new value, token, id, token.
UPDATE orders SET value = ?, token = ? WHERE id = ? AND token <= ?
