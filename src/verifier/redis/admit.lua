-- Judges a token, and stores it as the highest if it passes.
-- KEYS: fence.  ARGV: token, 1 for strict, and the value to write if there is one.
-- Returns 1, or the highest token as a string if the given one is stale.
local highest = redis.call('HGET', KEYS[1], 'token')
if highest then
  local offered, seen = tonumber(ARGV[1]), string.find(highest, '^%d+$') and string.len(highest) <= 20 and tonumber(highest)
  if not seen then
    return redis.error_reply('ERR the field token holds no token: is the key used by another program?')
  end
  if offered < seen or (offered == seen and ARGV[2] == '1') then
    return highest
  end
end
redis.call('HSET', KEYS[1], 'token', ARGV[1])
if ARGV[3] then
  redis.call('HSET', KEYS[1], 'value', ARGV[3])
end
return 1
