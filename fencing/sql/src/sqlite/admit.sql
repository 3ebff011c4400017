-- ?1 resource, ?2 token. Gives back the highest token: admitted if it is ?2, stale if it is greater.
INSERT INTO redfence_fence AS fence (resource, token) VALUES (?1, ?2)
ON CONFLICT (resource) DO UPDATE SET token = max(fence.token, excluded.token)
RETURNING token
