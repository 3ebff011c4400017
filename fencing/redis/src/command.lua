-- One command on one key.
-- KEYS[2]: the key.  ARGV[3]: the command.  ARGV[4] and on: what follows the key.
-- Answers {1, the command's answer}.
local wrong = problem(KEYS[1], ARGV)
if wrong then
  return redis.error_reply(wrong)
end
return {1, redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))}
