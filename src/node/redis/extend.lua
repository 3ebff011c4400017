-- If the lock is still the holder's, lets it live on.
-- KEYS: lock, counter.  ARGV: holder, ttl in ms.
-- Answers 1, or {holder, ms left, counter} when the lock is not the holder's.
local occupant = redis.call('GET', KEYS[1])
if occupant ~= ARGV[1] then
  return {occupant, redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[2])}
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
