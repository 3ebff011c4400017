-- Tells who holds the lock, and who waits for it. Changes nothing.
-- KEYS: lock, counter, queue.
-- Answers {holder, ms left, counter, -1, how many wait, the entry of the first}.
local lock, counter, queue = KEYS[1], KEYS[2], KEYS[3]
local waiting, first = redis.pcall('ZCARD', queue), redis.pcall('ZRANGE', queue, 0, 0)
return {redis.call('GET', lock), redis.call('PTTL', lock), redis.call('GET', counter), -1,
  type(waiting) == 'number' and waiting or 0, first[1] or false}
