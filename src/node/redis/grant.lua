-- Takes the lock if nobody has it, and draws a number from the slot's counter.
-- KEYS: lock, counter.  ARGV: holder, ttl in ms, floor.
-- Answers the number, or {holder, ms left, counter} when the lock is taken.
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[2])}
end
local drawn = redis.call('INCR', KEYS[2])
if drawn < 1000000000000000 then
  -- There was no counter: the node lost it, or it rests. join.lua creates all counters, at the clock.
  redis.call('DEL', KEYS[1], KEYS[2])
  return redis.error_reply('FORGOT there is no counter')
end
local floor = tonumber(ARGV[3])
if drawn < floor then
  -- %.0f is exact below 2^53; tostring keeps 14 digits only.
  drawn = redis.call('INCRBY', KEYS[2], string.format('%.0f', floor - drawn))
end
return drawn
