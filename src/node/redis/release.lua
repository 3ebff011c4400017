-- If the lock is the holder's, removes it.
-- KEYS: lock, counter.  ARGV: holder.
-- Answers 1, or {holder, ms left, counter} when the lock is not the holder's.
local occupant = redis.call('GET', KEYS[1])
if occupant ~= ARGV[1] then
  return {occupant, redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[2])}
end
redis.call('DEL', KEYS[1])
return 1
