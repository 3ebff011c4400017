-- Takes the lock if nobody has it, and draws a number from the slot's counter.
-- KEYS: lock, counter.  ARGV: holder, ttl in ms, floor, the caller's unix seconds.
-- Answers the number, or {holder, ms left, counter} when the lock is taken.
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return {redis.call('GET', KEYS[1]), redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[2])}
end
local drawn = redis.call('INCR', KEYS[2])
if drawn < 1048576 then
  -- There was no counter. It starts at unix seconds * 2^20, above everything that a lost one ever issued.
  local seconds = math.max(tonumber(redis.call('TIME')[1]), tonumber(ARGV[4]))
  drawn = redis.call('INCRBY', KEYS[2], string.format('%.0f', seconds * 1048576))
end
local floor = tonumber(ARGV[3])
if drawn < floor then
  -- %.0f is exact below 2^53; tostring keeps 14 digits only.
  drawn = redis.call('INCRBY', KEYS[2], string.format('%.0f', floor - drawn))
end
return drawn
