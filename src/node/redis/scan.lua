-- One step of a scan through the locks of this prefix: reports each lock, and removes it if that is asked.
-- KEYS: record (which names the node; it is not read).  ARGV: cursor, how many keys to visit, prefix, 1 to remove.
-- Returns {next cursor, key, holder, ms left, key, holder, ms left, ...}. It skips a key that is not a string, or
-- whose name is too long for redfence. It reports the first 256 bytes of a value, which no holder fills.
--
-- The prefix has none of the characters that MATCH interprets; the caller checks the slot.
--
-- The locks are not declared as keys: a node of redfence is not a member of a cluster.
local step = redis.call('SCAN', ARGV[1], 'MATCH', '{' .. ARGV[3] .. ':*}:lock:*', 'COUNT', ARGV[2])
local answer = {step[1]}
for _, key in ipairs(step[2]) do
  local holder = string.len(key) <= 640 and redis.pcall('GETRANGE', key, '0', '255')
  local left = type(holder) == 'string' and redis.call('PTTL', key)
  -- An empty text means that the key is gone. Only digits may stand between prefix and name, because another prefix
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
