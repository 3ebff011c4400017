-- Runs a script under the handler that turns whatever was thrown into {err, source, line}.
local handler = ...
return function(script)
  return xpcall(script, handler)
end
