-- One turn of a locker: several requests, in order, each on its own; an error of one leaves the others alone.
-- KEYS: for each: lock, counter.  ARGV: for each four: verb, holder, two numbers.
--   G<n>  ttl in ms, floor   Takes the lock if nobody has it, and draws n numbers from the slot's counter: answers the last.
--   P<n>  ttl in ms, floor   The same, politely: not while anybody waits for the lock.
--   Q<n>  ttl in ms, floor   The same, where the caller is one of those who wait: not while anybody else does.
--   S     token              If the lock is still the holder's, raises the counter to at least the token: answers 1.
--   E     ttl in ms          If the lock is still the holder's, lets it live on: answers 1.
--   R                        If the lock is the holder's, removes it: answers 1.
-- Where the lock is not the holder's, or not to be had, the answer is {holder, ms left, counter, how many listen to it}.
-- Whoever waits for a lock subscribes to the channel of its name, and is told of a release if nobody took the lock again in
-- the same turn: a process that passes it on among its own tasks wakes nobody for nothing.
-- There are no functions here, because a script defines them anew at every call.
local try, answers, freed = redis.pcall, {}, {}
for i = 1, #KEYS, 2 do
  local lock, counter, at = KEYS[i], KEYS[i + 1], 2 * i - 1
  local verb, holder = ARGV[at], ARGV[at + 1]
  local what = string.byte(verb)
  -- G is 71, P is 80, Q is 81, S is 83, E is 69. A refusal stays an answer of false until the end.
  local answer = false
  if what == 71 or what == 80 or what == 81 then
    if what == 71 or (try('PUBSUB', 'NUMSUB', lock)[2] or 0) < what - 79 then
      answer = try('SET', lock, holder, 'NX', 'PX', ARGV[at + 2])
    end
    if answer and not answer.err then
      answer = try('INCRBY', counter, string.sub(verb, 2))
      if type(answer) == 'number' then
        local floor = tonumber(ARGV[at + 3])
        if answer < 1000000000000000 then
          -- There was no counter: the node lost it, or it rests. join.lua creates all counters, at the clock.
          try('DEL', lock, counter)
          answer = redis.error_reply('FORGOT there is no counter')
        else
          freed[lock] = nil
          if answer < floor then
            -- %.0f is exact below 2^53; tostring keeps 14 digits only.
            answer = try('INCRBY', counter, string.format('%.0f', floor - answer))
          end
        end
      end
    end
  else
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
      else
        done = try('DEL', lock)
        freed[lock] = type(done) ~= 'table' and holder or nil
      end
      answer = type(done) == 'table' and done.err and done or 1
    elseif type(occupant) == 'table' then
      answer = occupant
    end
  end
  if not answer then
    local occupant, known = try('GET', lock), try('GET', counter)
    answer = type(occupant) == 'table' and occupant
      or {occupant, try('PTTL', lock), type(known) ~= 'table' and known, try('PUBSUB', 'NUMSUB', lock)[2] or 0}
  end
  answers[#answers + 1] = answer
end
if next(freed) then
  for i = 1, #KEYS, 2 do
    local lock = KEYS[i]
    if freed[lock] then
      -- Nobody may be permitted to publish, and the lock is free all the same.
      try('PUBLISH', lock, freed[lock])
      freed[lock] = nil
    end
  end
end
return answers
