-- One batch of a locker: several requests, in order, each on its own; an error of one leaves the others alone.
-- KEYS: for each: lock, counter, queue.  ARGV: for each: verb, holder, and what the verb takes:
--   G<n>  ttl in ms, floor                   Takes the lock if it is free, and draws n numbers from the slot's counter: answers the last.
--   W<n>  ttl in ms, floor, waited us, entry  The same, also if the lock is reserved for the caller; refused, it waits in the queue.
--   O<n>  ttl in ms, floor, waited us, entry  The same, also if the lock is reserved for another.
--   S     token                              If the lock is still the holder's, raises the counter to at least the token: answers 1.
--   E     ttl in ms                          If the lock is still the holder's, lets it live on: answers 1.
--   R     stand by: 0 or 1                   If the lock is the holder's, it goes to the first in the queue: answers 1.
--   K                                        The same, unless a grant behind it in this call takes the lock.
--   B     waited us, entry                   The same, and the caller is in the queue again.
--   N                                        The same, but nobody is woken, and the lock is free.
--   F                                        Lets the next grant draw a greater number, whoever has the lock; then as R.
--   L     entry                              The caller waits no longer; a lock that is reserved for it goes to the next: answers 1.
-- Where the lock is not the holder's, or not to be had, the answer is {holder, ms left, counter, how many wait before the caller;
-- -1 if it is not in the queue}.
-- A queue is a sorted set of entries "<locker>:<number>:<grace in ms> <label>". Its scores are this server's clock minus the time waited. The lock
-- is reserved for the first by the value "next:<entry>", for its grace; and it is told so over the channel "<prefix>:wake:<locker>", in the
-- words "<in so many ms> <lock>". A locker that PUBLISH does not reach is gone, and skipped.
local try, sub, match = redis.pcall, string.sub, string.match
local answers, kept, key, at = {}, {}, 1, 1

local function join(queue, waited, entry)
  local time = redis.call('TIME')
  -- %.0f is exact below 2^53; tostring keeps 14 digits only.
  try('ZADD', queue, 'LT', string.format('%.0f', time[1] * 1000000 + time[2] - waited), entry)
  local place = try('ZRANK', queue, entry)
  if type(place) ~= 'number' then
    return -1
  elseif place >= 4096 then
    try('ZREM', queue, entry)
    return -1
  end
  try('PEXPIRE', queue, 60000)
  return place
end

local function wake(lock, entry, after)
  local received = try('PUBLISH', (match(lock, '^{([^}]*):%d+}') or '') .. ':wake:' .. sub(entry, 1, 16), after .. ' ' .. lock)
  return type(received) == 'number' and received > 0
end

-- Answers what the server said, which is an error where it takes no writes.
local function serve(lock, queue, stand_by)
  local entry = try('ZPOPMIN', queue)[1]
  while entry do
    local grace = match(entry, '^%x+:%d+:(%d+) ')
    if grace and wake(lock, entry, '0') then
      local done = try('SET', lock, 'next:' .. entry, 'PX', grace)
      local second = stand_by and try('ZRANGE', queue, 0, 0)[1]
      if second then
        wake(lock, second, grace)
      end
      -- A server without memory may refuse the reservation; the lock has to go all the same.
      return done.err and try('DEL', lock) or done
    end
    entry = try('ZPOPMIN', queue)[1]
  end
  return try('DEL', lock)
end

while at <= #ARGV do
  local lock, counter, queue = KEYS[key], KEYS[key + 1], KEYS[key + 2]
  local verb, holder = ARGV[at], ARGV[at + 1]
  local what = string.byte(verb)
  -- G is 71, W is 87, O is 79, S is 83, E is 69, R is 82, K is 75, B is 66, N is 78, F is 70, L is 76. A refusal stays an answer of
  -- false until the end.
  local answer, place, takes = false, -1, 2
  if what == 71 or what == 87 or what == 79 then
    takes = what == 71 and 4 or 6
    local entry = ARGV[at + 5]
    answer = try('SET', lock, holder, 'NX', 'PX', ARGV[at + 2])
    if not answer and takes == 6 then
      local occupant = try('GET', lock)
      if type(occupant) == 'string' and sub(occupant, 1, 5) == 'next:'
        and (what == 79 or sub(occupant, 6, 21) == sub(entry, 1, 16)) then
        answer = try('SET', lock, holder, 'PX', ARGV[at + 2])
      end
    end
    if answer and not answer.err then
      answer = try('INCRBY', counter, sub(verb, 2))
      if type(answer) == 'number' then
        local floor = tonumber(ARGV[at + 3])
        if answer < 1000000000000000 then
          -- There was no counter: the node lost it, or it rests. join.lua creates all counters, at the clock.
          try('DEL', lock, counter)
          answer = redis.error_reply('FORGOT there is no counter')
        else
          kept[lock] = nil
          if takes == 6 and ARGV[at + 4] ~= '0' then
            try('ZREM', queue, entry)
          end
          if answer < floor then
            answer = try('INCRBY', counter, string.format('%.0f', floor - answer))
          end
        end
      end
    elseif not answer and takes == 6 then
      place = join(queue, ARGV[at + 4], entry)
    end
  elseif what == 76 then
    takes = 3
    local entry, occupant = ARGV[at + 2], try('GET', lock)
    try('ZREM', queue, entry)
    if occupant == 'next:' .. entry then
      serve(lock, queue)
    end
    answer = 1
  else
    takes = what == 66 and 4 or (what == 75 or what == 78 or what == 70) and 2 or 3
    if what == 70 then
      local known = tonumber(try('GET', counter) or 0)
      -- A lower number is none: join.lua creates all counters, at the clock.
      if known and known >= 1000000000000000 then
        try('INCR', counter)
      end
    end
    local occupant = try('GET', lock)
    if occupant == holder then
      -- What a server that takes no writes answers is the answer: a yes is said only of what was done.
      local done = 1
      if what == 83 then
        local text = try('GET', counter)
        local known = type(text) == 'string' and tonumber(text)
        if type(text) == 'table' then
          done = text
        elseif not known or known < 1000000000000000 then
          done = redis.error_reply('FORGOT the counter is gone')
        elseif known < tonumber(ARGV[at + 2]) then
          done = try('SET', counter, ARGV[at + 2])
        end
      elseif what == 69 then
        done = try('PEXPIRE', lock, ARGV[at + 2])
      elseif what == 82 or what == 70 then
        done = serve(lock, queue, what == 82 and ARGV[at + 2] == '1')
      elseif what == 66 then
        join(queue, ARGV[at + 2], ARGV[at + 3])
        done = serve(lock, queue)
      else
        done = try('DEL', lock)
        kept[lock] = what == 75 and type(done) ~= 'table' and queue or nil
      end
      answer = type(done) == 'table' and done.err and done or 1
    elseif type(occupant) == 'table' then
      answer = occupant
    end
  end
  if not answer then
    local occupant, known = try('GET', lock), try('GET', counter)
    answer = type(occupant) == 'table' and occupant
      or {occupant, try('PTTL', lock), type(known) ~= 'table' and known, place}
  end
  answers[#answers + 1] = answer
  key, at = key + 3, at + takes
end
for i = 1, #KEYS, 3 do
  if kept[KEYS[i]] then
    kept[KEYS[i]] = nil
    serve(KEYS[i], KEYS[i + 2])
  end
end
return answers
