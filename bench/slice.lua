-- slice: what wrk measured, as one line; and what it asks for, where that is not one path.
--
--   wrk ... -s slice.lua URL -- [PATHS]     a file of "METHOD /path" lines, asked for in turns
local requests, at = {}, 0

function init(arguments)
  if not arguments[1] then return end
  for line in io.lines(arguments[1]) do
    local method, path = line:match('^(%S+) (%S+)$')
    -- An empty body gives Content-Length: 0, without which a POST is answered 411.
    requests[#requests + 1] = wrk.format(method, path, nil, method ~= 'GET' and '' or nil)
  end
  function request()
    at = at % #requests + 1
    return requests[at]
  end
end

function done(summary, latency)
  local errors = summary.errors
  local function at_most(percent) return latency:percentile(percent) end
  print(string.format('MEASURED %d %d %d %d %d %d %d %d %d', summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    at_most(50), at_most(90), at_most(99), latency.max))
end
