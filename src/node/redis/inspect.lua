-- Reports the holder of the lock, and its queue. Changes nothing.
-- KEYS: lock, counter, queue. ARGV: the caller's entry.
-- Returns {holder, ms left, counter, how many wait before the caller; -1 if it is not in the queue, how many wait,
-- the entry of the first}. Of each text only a part is returned, longer than any that redfence writes: another
-- program may have left a text of any size.
local lock, counter, queue = KEYS[1], KEYS[2], KEYS[3]
local waiting, first = redis.pcall('ZCARD', queue), redis.pcall('ZRANGE', queue, 0, 0)
local place = redis.pcall('ZRANK', queue, ARGV[1])
local occupant, left, known = redis.pcall('GETRANGE', lock, '0', '255'), redis.call('PTTL', lock), redis.call('GETRANGE', counter, '0', '31')
if type(occupant) == 'table' then
  return string.find(occupant.err, 'WRONGTYPE', 1, true)
    and redis.error_reply('WRONGTYPE the key of the lock holds no string: a client such as Redisson locks by a hash') or occupant
end
return {(occupant ~= '' or left ~= -2) and occupant, left, known ~= '' and known,
  type(place) == 'number' and place or -1, type(waiting) == 'number' and waiting or 0,
  first[1] and string.sub(first[1], 1, 256) or false}
