-- What scripts get in place of Lua's own pcall, as servers of version 7.0 have it: an error of redis.call is a text.
local protected, as_text = ...
return function(...)
  return as_text(protected(...))
end
