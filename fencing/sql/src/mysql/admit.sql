-- Resource, token. Locks the row until the transaction ends. ADMITTED reads what came of it.
INSERT INTO redfence_fence (resource, token) VALUES (?, ?)
ON DUPLICATE KEY UPDATE token = GREATEST(token, VALUES(token))
