-- Runs a script under the handler that turns any thrown value into {err, source, line}.
local handler = ...
return function(script)
  return xpcall(script, handler)
end
