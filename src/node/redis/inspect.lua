-- Tells who holds the lock, and who waits for it. Changes nothing.
-- KEYS: lock, counter, queue.
-- Answers {holder, ms left, counter, -1, how many wait, the entry of the first}: of each text a part that nothing of ours fills,
-- for another program may have left anything there.
local lock, counter, queue = KEYS[1], KEYS[2], KEYS[3]
local waiting, first = redis.pcall('ZCARD', queue), redis.pcall('ZRANGE', queue, 0, 0)
local occupant, left, known = redis.call('GETRANGE', lock, '0', '255'), redis.call('PTTL', lock), redis.call('GETRANGE', counter, '0', '31')
return {(occupant ~= '' or left ~= -2) and occupant, left, known ~= '' and known, -1,
  type(waiting) == 'number' and waiting or 0, first[1] and string.sub(first[1], 1, 256) or false}
