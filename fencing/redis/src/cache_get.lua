-- Reads a cached value.
-- KEYS[1]: the value, a hash.  ARGV[1]: the greatest length of a value.
-- Answers {time left in ms, token, computing time in µs, value}, or nothing if there is no value.
local left = redis.call('PTTL', KEYS[1])
if left == -2 then
  return {}
end
local length = redis.call('HSTRLEN', KEYS[1], 'value')
if length > tonumber(ARGV[1]) then
  return redis.error_reply('ERR the value has ' .. length .. ' bytes, which is too long: is the key used by another program?')
end
local found = redis.call('HMGET', KEYS[1], 'token', 'took_us', 'value')
if left == -1 or not (found[1] and found[2] and found[3]) then
  return redis.error_reply('ERR the key has no time to live or not the fields of a value: is it used by another program?')
end
return {left, found[1], found[2], found[3]}
