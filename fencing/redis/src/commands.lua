-- Behind the check: which commands there are, and how many arguments each needs behind its key.
local arguments = {SET = 1, HSET = 2, DEL = 0, INCRBY = 1, EXPIRE = 1, PEXPIRE = 1}
local function problem(key, words)
  local needed = arguments[words[1] or '']
  if not key or not needed or #words - 1 < needed then
    return 'ERR a fenced command is SET, HSET, DEL, INCRBY, EXPIRE or PEXPIRE, with a key and its arguments'
  end
  if key == fence then
    return 'ERR the key is the fence itself, which only the check may write'
  end
end
