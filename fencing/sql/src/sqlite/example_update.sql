-- ?1 id, ?2 token, ?3 the new value.
UPDATE orders SET value = ?3, token = ?2 WHERE id = ?1 AND token <= ?2
