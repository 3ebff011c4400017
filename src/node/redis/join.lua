-- Reports about the node itself; initializes or activates it if that is asked and still right.
--
-- KEYS: record.  ARGV: probe, initialize or activate; prefix of the counters; longest ttl in ms; the caller's unix
-- microseconds; and to initialize: the record that was seen ("ready_at awake run_id"; if there was none, the mark), the
-- rest in ms, 1 if it is new.
--
-- Returns {unix microseconds, run_id, seconds up, 1 if it logs every write and never followed another server (-1:
-- unknown), and of the record: run_id, ready_at in ms, longest ttl in ms, awake, new; and the mark}. The first probe
-- of a node without a record sets the mark. If the node forgets again, the mark changes, so a late update is noticed.
local verb, seen, rest = ARGV[1], ARGV[5], tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function info(section)
  local text = redis.pcall('INFO', section)
  return type(text) == 'string' and text
end
local run_id, up, keeps = '', -1, -1
local server = info('server')
if server then
  run_id = string.match(server, 'run_id:(%x+)') or ''
  up = tonumber(string.match(server, 'uptime_in_seconds:(%d+)') or -1)
  local logs = string.find(info('persistence') or '', 'aof_enabled:1', 1, true)
  local own = string.find(info('replication') or '', 'master_replid2:' .. string.rep('0', 40), 1, true)
  keeps = logs and own and 1 or 0
end

local function record()
  return redis.call('HMGET', KEYS[1], 'run_id', 'ready_at_ms', 'max_ttl_ms', 'awake', 'new', 'mark')
end
local function write(...)
  redis.call('HSET', KEYS[1], ...)
end
-- The counters are not declared as keys: a node of redfence is not a member of a cluster.
local function counters()
  local keys = {}
  for slot = 0, 1023 do
    keys[slot + 1] = '{' .. ARGV[2] .. ':' .. slot .. '}:token'
  end
  return keys
end
local function raise()
  -- Above every number that a lost counter issued. %.0f is exact below 2^53; tostring keeps 14 digits only. Tokens
  -- end at 2^53, so the start is bounded: tokens are left even if a clock is wrong by any amount.
  local start = math.min(math.max(now, tonumber(ARGV[4])), 8000000000000000)
  local keys, first, low = counters(), string.format('%.0f', start), {}
  -- A value that is not a string is missing here, and is overwritten.
  local texts = redis.call('MGET', unpack(keys))
  for at = 1, #keys do
    -- INCR accepts fewer forms of a number than Lua does.
    local counter = texts[at] and string.match(texts[at], '^[1-9]%d*$') and tonumber(texts[at])
    -- No clock leads to such a counter: another program wrote it.
    if not counter or counter < start or counter > 8500000000000000 then
      low[#low + 1], low[#low + 2] = keys[at], first
    end
  end
  if #low > 0 then
    redis.call('MSET', unpack(low))
  end
end

local known = record()
local max_ttl = math.max(tonumber(ARGV[3]), tonumber(known[3] or 0))
local initializes = verb == 'initialize' and seen == (known[2] and known[2] .. ' ' .. known[4] .. ' ' .. known[1] or known[6] or '')
if not known[2] and not known[6] and not initializes and verb ~= 'activate' then
  write('mark', string.format('%.0f', now))
  known = record()
end
if known[2] and not initializes and max_ttl > tonumber(known[3]) then
  -- A caller with a longer ttl may have held a lock of that length when this node forgot. So the rest grows by the
  -- difference, and by a tenth of it for the clocks.
  local more = known[4] == '0' and math.floor((max_ttl - tonumber(known[3])) * 1.1) or 0
  write('max_ttl_ms', max_ttl, 'ready_at_ms', string.format('%.0f', tonumber(known[2]) + more))
  known = record()
end
if initializes then
  local ready_at = math.floor(now / 1000) + rest
  local awake = rest == 0 and '1' or '0'
  if rest == 0 then
    raise()
  else
    redis.call('DEL', unpack(counters()))
  end
  write('format', 1, 'run_id', run_id, 'ready_at_ms', string.format('%.0f', ready_at), 'max_ttl_ms', max_ttl, 'awake', awake, 'new', ARGV[7])
elseif verb == 'activate' and known[4] == '0' and tonumber(known[2]) <= math.floor(now / 1000) then
  raise()
  write('awake', '1')
end
known = record()
for at = 1, 6 do
  -- Another program may have left a text of any size there.
  known[at] = known[at] and string.sub(known[at], 1, 64)
end
return {now, run_id, up, keeps, known[1], known[2], known[3], known[4], known[5], known[6]}
