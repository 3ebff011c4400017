-- One step through the locks of this prefix: tells what it found and, where that is asked, removes it.
-- KEYS: record (which names the node; it is not read).  ARGV: cursor, how many keys to look at, prefix, 1 to remove.
-- Answers {next cursor, key, holder, ms left, key, holder, ms left, ...}. A key that holds no text is left alone, and so is one
-- that is too long to be ours; of a text the first 256 bytes are told, which no holder fills.
-- The prefix cannot hold any of the characters that MATCH gives a meaning to; the caller checks the slot.
-- The locks are not declared as keys: a node of redfence is no member of a cluster.
local step = redis.call('SCAN', ARGV[1], 'MATCH', '{' .. ARGV[3] .. ':*}:lock:*', 'COUNT', ARGV[2])
local answer = {step[1]}
for _, key in ipairs(step[2]) do
  local holder = string.len(key) <= 640 and redis.pcall('GETRANGE', key, '0', '255')
  local left = type(holder) == 'string' and redis.call('PTTL', key)
  -- An empty text is that of a key that is gone. Between its slot and its name a lock has nothing but digits: another prefix
  -- may begin like this one.
  if left and (holder ~= '' or left ~= -2) and string.match(string.sub(key, string.len(ARGV[3]) + 3), '^%d+}:lock:') then
    table.insert(answer, key)
    table.insert(answer, holder)
    table.insert(answer, left)
    if ARGV[4] == '1' then
      redis.call('DEL', key)
    end
  end
end
return answer
