-- Tells who holds the lock. Changes nothing.
-- KEYS: lock, counter.
-- Answers {holder, ms left, counter, how many listen to it}.
local lock, counter = KEYS[1], KEYS[2]
return {redis.call('GET', lock), redis.call('PTTL', lock), redis.call('GET', counter), redis.pcall('PUBSUB', 'NUMSUB', lock)[2] or 0}
