-- Resource. No row: no token was admitted yet.
SELECT token FROM redfence_fence WHERE resource = ?
