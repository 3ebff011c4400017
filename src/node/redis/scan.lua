-- One step of a scan through the locks of this prefix: reports each lock, and removes it if that is asked.
-- KEYS: record (which names the node; it is not read).  ARGV: cursor, how many keys to visit, prefix, 1 to remove,
-- and, if locks have plain names, the pattern of their keys.
-- Returns {next cursor, key, holder, ms left, key, holder, ms left, ...}. It skips a key that is not a string, or
-- whose name is too long for redfence. It reports the first 256 bytes of a value, which no holder fills.
--
-- The prefix has none of the characters that MATCH interprets; the caller checks the slot. Other programs may have
-- keys of a plain pattern. There it reports and removes a key only if its value looks like a holder or a reservation
-- of redfence, and if it has a time to live, as all of them have: a line of md5sum looks like a holder.
--
-- The locks are not declared as keys: a node of redfence is not a member of a cluster.
local plain = ARGV[5]
local step = redis.call('SCAN', ARGV[1], 'MATCH', plain or '{' .. ARGV[3] .. ':*}:lock:*', 'COUNT', ARGV[2])
local answer, id = {step[1]}, '^' .. string.rep('[0-9a-f]', 32) .. ' '
for _, key in ipairs(step[2]) do
  local holder = string.len(key) <= 640 and redis.pcall('GETRANGE', key, '0', '255')
  local left = type(holder) == 'string' and redis.call('PTTL', key)
  local is_lock
  if left and plain then
    is_lock = left > 0 and (string.match(holder, id) or string.match(holder, '^next:%x+:%d+:%d+ '))
  elseif left and (holder ~= '' or left ~= -2) then
    -- An empty text means that the key is gone. Only digits may stand between prefix and name, because another prefix
    -- may begin like this one.
    is_lock = string.match(string.sub(key, string.len(ARGV[3]) + 3), '^%d+}:lock:')
  end
  if is_lock then
    table.insert(answer, key)
    table.insert(answer, holder)
    table.insert(answer, left)
    if ARGV[4] == '1' then
      redis.call('DEL', key)
    end
  end
end
return answer
