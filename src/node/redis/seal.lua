-- If the lock is still the holder's, raises the counter to at least the token.
-- KEYS: lock, counter.  ARGV: holder, token.
-- Answers 1, or {holder, ms left, counter} when the lock is not the holder's.
local occupant = redis.call('GET', KEYS[1])
local counter = redis.call('GET', KEYS[2])
if occupant ~= ARGV[1] then
  return {occupant, redis.call('PTTL', KEYS[1]), counter}
end
counter = tonumber(counter)
if not counter or counter < 1000000000000000 then
  return redis.error_reply('FORGOT the counter is gone')
end
if counter < tonumber(ARGV[2]) then
  redis.call('SET', KEYS[2], ARGV[2])
end
return 1
