-- Replaces Lua's own pcall for scripts, as in servers of version 7.0: an error of redis.call is a
-- text.
local protected, as_text = ...
return function(...)
  return as_text(protected(...))
end
