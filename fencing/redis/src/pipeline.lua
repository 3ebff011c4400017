-- Several commands, each on a key of its own; all are looked at before the first is run.
-- KEYS[2] and on: the key of each.  ARGV[3] and on, for each: how many words follow, the command, what follows the key.
-- Answers {1, {{1, its answer} or {0, its error} of each}}: an error does not keep the others from being done.
local commands, at = {}, 1
for number, key in ipairs(KEYS) do
  local count = tonumber(ARGV[at] or '') or 0
  commands[number] = {unpack(ARGV, at + 1, at + count)}
  at = at + 1 + count
  local wrong = problem(key, commands[number])
  if wrong then
    return redis.error_reply(wrong)
  end
end
local answers = {}
for number, words in ipairs(commands) do
  local answer = redis.pcall(words[1], KEYS[number], unpack(words, 2))
  local failed = type(answer) == 'table' and answer.err
  answers[number] = failed and {0, failed} or {1, answer}
end
return {1, answers}
