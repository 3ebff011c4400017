-- Checks a token, and writes or removes a cached value, in one step.
-- KEYS[1]: the fences of the keys of one slot, a sorted set.  KEYS[2]: the value, a hash.
-- ARGV: the token, the name of the key, the most fences, the time to live in ms, the computing time in µs, the value;
-- or the first three alone, to remove the value.
-- Answers {1}, or {0, highest} if the token is stale.
local fences, entry = KEYS[1], KEYS[2]
local token, name, most, ttl, took, value = unpack(ARGV)
-- A key without a fence of its own has the floor, the member with no name: no token below it passes any more.
local highest = redis.call('ZSCORE', fences, name) or redis.call('ZSCORE', fences, '')
if highest and tonumber(token) < tonumber(highest) then
  return {0, string.format('%.0f', highest)}
end
-- First what fails if another program uses the key.
if value then
  redis.call('HSET', entry, 'token', token, 'took_us', took, 'value', value)
  redis.call('PEXPIRE', entry, ttl)
else
  redis.call('HDEL', entry, 'token', 'took_us', 'value')
end
redis.call('ZADD', fences, token, name)
-- Without the time to live that another program may have given it.
redis.call('PERSIST', fences)
local floors = redis.call('ZSCORE', fences, '') and 1 or 0
if redis.call('ZCARD', fences) - floors > tonumber(most) then
  -- The lowest fence is given up, and becomes the floor.
  local lowest = redis.call('ZRANGE', fences, floors, floors, 'WITHSCORES')
  redis.call('ZREM', fences, lowest[1])
  redis.call('ZADD', fences, lowest[2], '')
end
return {1}
