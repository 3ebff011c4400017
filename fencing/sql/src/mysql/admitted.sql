-- Resource. Gives back the highest token: admitted if it is the one offered, stale if it is greater.
-- It locks, because a plain SELECT reads the snapshot of the transaction, which may be older than the lock.
SELECT token FROM redfence_fence WHERE resource = ? FOR UPDATE
