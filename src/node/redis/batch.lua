-- One batch of a locker: several requests, done in order. An error of one request does not affect the others.
-- KEYS: for each request: lock, and counter for G, S and E, queue for R, T, Q, K, B, M, N and L, both for W, O and F.
-- ARGV: for each request: verb, holder, and the arguments of the verb:
--   G<n>  ttl in ms, floor                    Takes the lock if it is free, and draws n numbers from the slot's counter: returns the last.
--   W<n>  ttl in ms, floor, waited us, entry  The same, also if the lock is reserved for the caller; if refused, joins the queue.
--   O<n>  ttl in ms, floor, waited us, entry  The same, also if the lock is reserved for another waiter.
--   S     token                               If the lock is still the holder's, raises the counter to at least the token: returns 1.
--   E     ttl in ms                           If the lock is still the holder's, extends it: returns 1.
--   R                                         If the lock is the holder's, reserves it for the first in the queue, and wakes that one: returns 1.
--   T                                         The same, and tells the second when the reservation ends.
--   Q                                         The same without a wake (other nodes send it), and the first stays in the queue.
--   K                                         As R, unless a later grant in this call takes the lock.
--   B     waited us, entry                    As R, after the caller has joined the queue again.
--   M     waited us, entry                    As N, after the caller has joined the queue again.
--   N                                         If the lock is the holder's, frees it without a wake: returns 1.
--   F                                         Always lets the next grant draw a greater number; then as R.
--   L     entry                               The caller stops waiting; a lock that is free or reserved for it goes to the next: returns 1.
-- If the lock is not the holder's, or cannot be taken, the reply is {holder, ms left, counter if it is a key, how
-- many wait before the caller; -1 if it is not in the queue}.
-- A queue is a sorted set of entries "<locker>:<number>:<grace in ms> <label>". Its scores are this server's clock
-- minus the time waited. A lock is reserved for the first by the value "next:<entry>", for its grace. The wake goes
-- to the channel "<prefix>:wake:<locker>", as "<in how many ms> <lock>". A locker that PUBLISH does not reach is
-- gone, and skipped.
--
-- Another program may have left a value of any size at a key. So a lock is read by its first 256 bytes, which no
-- holder and no reservation fills, and a counter by its first 32. GETRANGE returns an empty text if there is no key.
--
-- Number arguments are written as texts, because a number would be formatted at every call. There are no functions
-- here, because a script defines them again at every call. So each step occurs once in the loop. A lock that was kept
-- for a grant that did not come takes one more turn of the loop, as a request without a verb.
local try, sub = redis.pcall, string.sub
local answers, kept, key, at, last = {}, false, 1, 1, #ARGV
while at <= last or kept do
  local lock, counter, queue, verb, holder = KEYS[key], KEYS[key + 1], false, ARGV[at], ARGV[at + 1]
  -- `false` stands for a refusal until the end of the loop.
  local answer, place, entry, waited, serves = false, -1, false, false, false
  local what = verb and string.byte(verb)
  -- These verbs have three keys; in the others the second key is not the counter.
  if what == 87 or what == 79 or what == 70 then
    queue, key = KEYS[key + 2], key + 3
  elseif what then
    key = key + 2
    if what ~= 71 and what ~= 83 and what ~= 69 then
      counter, queue = false, counter
    end
  end
  -- W is 87, O is 79, G is 71.
  if what == 87 or what == 79 or what == 71 then
    local ttl = ARGV[at + 2]
    answer = try('SET', lock, holder, 'NX', 'PX', ttl)
    if what ~= 71 then
      waited, entry = ARGV[at + 4], ARGV[at + 5]
      if not answer then
        local occupant = try('GETRANGE', lock, '0', '255')
        if type(occupant) == 'string' and sub(occupant, 1, 5) == 'next:'
          and (what == 79 or sub(occupant, 6, 21) == sub(entry, 1, 16)) then
          answer = try('SET', lock, holder, 'PX', ttl)
        end
      end
    end
    if answer and not answer.err then
      answer = try('INCRBY', counter, sub(verb, 2))
      if type(answer) == 'number' then
        if answer < 1000000000000000 then
          -- There was no counter: the node lost it, or rests. join.lua creates all counters, at the clock.
          try('DEL', lock, counter)
          answer = redis.error_reply('FORGOT there is no counter')
        else
          if kept then
            kept[lock] = nil
          end
          if waited and waited ~= '0' then
            try('ZREM', queue, entry)
          end
          local floor = tonumber(ARGV[at + 3])
          if answer < floor then
            -- %.0f is exact below 2^53; tostring keeps 14 digits only.
            answer = try('INCRBY', counter, string.format('%.0f', floor - answer))
          end
        end
      end
      entry = false
    elseif answer then
      entry = false
    end
    at = at + (what == 71 and 4 or 6)
  -- L is 76.
  elseif what == 76 then
    local left, occupant = ARGV[at + 2], try('GETRANGE', lock, '0', '255')
    try('ZREM', queue, left)
    -- If the lock is free, it may have been reserved for this waiter until a moment ago, and no other waiter was
    -- woken.
    serves, answer, at = occupant == '' and try('PTTL', lock) == -2 or occupant == 'next:' .. left, 1, at + 3
  elseif what then
    local taken = try('GETRANGE', lock, '0', '255')
    -- F is 70.
    if what == 70 then
      local known = try('GETRANGE', counter, '0', '31')
      -- A lower number is not a counter: join.lua creates all counters, at the clock.
      if (type(known) == 'string' and tonumber(known) or 0) >= 1000000000000000 then
        try('INCR', counter)
      end
    end
    if taken == holder then
      -- If a server refuses the write, its error is the reply: 1 is returned only for what was done.
      -- R is 82, Q is 81, T is 84, S is 83, E is 69, B is 66, M is 77, K is 75; the last one is N.
      answer = 1
      if what == 82 or what == 81 or what == 84 or what == 70 then
        serves = true
      elseif what == 83 then
        local text = try('GETRANGE', counter, '0', '31')
        local known = type(text) == 'string' and tonumber(text)
        if type(text) == 'table' then
          answer = text
        elseif not known or known < 1000000000000000 then
          answer = redis.error_reply('FORGOT the counter is gone')
        elseif known < tonumber(ARGV[at + 2]) then
          answer = try('SET', counter, ARGV[at + 2])
        end
      elseif what == 69 then
        answer = try('PEXPIRE', lock, ARGV[at + 2])
      elseif what == 66 or what == 77 then
        serves, waited, entry = what == 66, ARGV[at + 2], ARGV[at + 3]
        if not serves then
          answer = try('DEL', lock)
        end
      else
        answer = try('DEL', lock)
        if what == 75 and type(answer) ~= 'table' then
          kept = kept or {}
          kept[lock] = queue
        end
      end
      answer = type(answer) == 'table' and answer.err and answer or 1
    end
    at = at + ((what == 66 or what == 77) and 4 or (what == 83 or what == 69) and 3 or 2)
  else
    lock = next(kept)
    queue, answer, serves, kept[lock or 0] = lock and kept[lock], 1, lock, nil
    if not lock then
      break
    end
  end
  if entry then
    local time = redis.call('TIME')
    try('ZADD', queue, 'LT', string.format('%.0f', time[1] * 1000000 + time[2] - waited), entry)
    place = try('ZRANK', queue, entry)
    if type(place) ~= 'number' then
      place = -1
    elseif place >= 4096 then
      place = -1
      try('ZREM', queue, entry)
    else
      try('PEXPIRE', queue, 60000)
      if try('ZCARD', queue) > 4096 then
        try('ZREM', queue, try('ZRANGE', queue, -1, -1)[1])
      end
    end
  end
  if serves then
    -- If no wake is sent, the first stays in the queue: this server may be wrong about which waiter is first.
    local first, done = (what == 81 and try('ZRANGE', queue, 0, 0) or try('ZPOPMIN', queue))[1], false
    while first and not done do
      local grace = string.len(first) < 256 and string.match(first, '^%x+:%d+:(%d%d?%d?%d?) ')
      local wakes = (string.match(queue, '^{([^}]*):%d+}') or '') .. ':wake:'
      local received = grace and (what == 81 or try('PUBLISH', wakes .. sub(first, 1, 16), '0 ' .. lock))
      if received == true or type(received) == 'number' and received > 0 then
        done = try('SET', lock, 'next:' .. first, 'PX', grace)
        local second = what == 84 and try('ZRANGE', queue, 0, 0)[1]
        if second then
          try('PUBLISH', wakes .. sub(second, 1, 16), grace .. ' ' .. lock)
        end
      elseif what == 81 then
        break
      else
        first = try('ZPOPMIN', queue)[1]
      end
    end
    -- A server without memory may refuse the reservation. The lock must be removed all the same.
    if not done or done.err then
      done = try('DEL', lock)
    end
    if type(done) == 'table' and done.err and what ~= 76 then
      answer = done
    end
  end
  if not answer then
    local occupant, left = try('GETRANGE', lock, '0', '255'), try('PTTL', lock)
    local known = counter and try('GETRANGE', counter, '0', '31')
    if type(occupant) == 'table' and string.find(occupant.err, 'WRONGTYPE', 1, true) then
      occupant = redis.error_reply('WRONGTYPE the key of the lock holds no string: a client such as Redisson locks by a hash')
    end
    answer = type(occupant) == 'table' and occupant
      or {(occupant ~= '' or left ~= -2) and occupant, left, type(known) ~= 'table' and known ~= '' and known, place}
  end
  if verb then
    answers[#answers + 1] = answer
  end
end
return answers
