-- If the lock is the holder's, removes it; in any case lets the next grant draw a greater number.
-- KEYS: lock, counter.  ARGV: holder.
-- Answers 1, or {holder, ms left, counter, how many listen to it} when the lock is not the holder's.
local occupant, left = redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1])
local counter = tonumber(redis.call('GET', KEYS[2]))
-- A lower number is none: join.lua creates all counters, at the clock.
if counter and counter >= 1000000000000000 then
  redis.call('INCR', KEYS[2])
end
if occupant ~= ARGV[1] then
  return {occupant, left, redis.call('GET', KEYS[2]), redis.pcall('PUBSUB', 'NUMSUB', KEYS[1])[2] or 0}
end
redis.call('DEL', KEYS[1])
-- As a release by the holder does.
redis.pcall('PUBLISH', KEYS[1], ARGV[1])
return 1
