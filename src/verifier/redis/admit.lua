-- Behind the check: writes the value beside the token where there is one.
-- ARGV[3]: the value.  Answers {1}.
if ARGV[1] then
  redis.call('HSET', fence, 'value', ARGV[1])
end
return {1}
