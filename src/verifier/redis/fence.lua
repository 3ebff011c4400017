-- The check in front of a fenced write. The write follows in the same script, so nothing comes between the two.
-- KEYS[1]: the fence, a hash.  ARGV[1]: the token, in digits.  ARGV[2]: 1 if an equal token is stale, else 0.
-- Takes them off both lists; what is left is the write's. Answers {0, highest} if the token is stale.
local fence, offered, strict = table.remove(KEYS, 1), table.remove(ARGV, 1), table.remove(ARGV, 1) == '1'
local function token(text)
  local number = string.len(text) <= 16 and string.match(text, '^[1-9]%d*$') and tonumber(text)
  return number and number <= 9007199254740991 and number
end
if not fence or not token(offered or '') then
  return redis.error_reply('ERR a fenced write needs the key of the fence and a token from 1 to 9007199254740991')
end
local highest = redis.call('HGET', fence, 'token')
if highest then
  if not token(highest) then
    return redis.error_reply('ERR the field token holds no token: is the key used by another program?')
  end
  if token(offered) < token(highest) or (strict and token(offered) == token(highest)) then
    return {0, highest}
  end
elseif redis.call('EXISTS', fence) == 1 then
  return redis.error_reply('ERR the hash has no field token: is the key used by another program?')
end
if highest ~= offered then
  redis.call('HSET', fence, 'token', offered)
  -- Without the time to live that another program may have given it.
  redis.call('PERSIST', fence)
end
