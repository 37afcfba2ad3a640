-- check: like slice.lua, and holds every single reply against the bytes that are expected. It costs
-- wrk some time for each reply, so it runs in front of what is measured, not in it.
--
--   wrk ... -s check.lua URL -- FILE       "wrong" counts replies that are not what FILE holds
local threads = {}

function setup(thread)
  thread:set('wrong', 0)
  threads[#threads + 1] = thread
end

function init(arguments)
  local file = io.open(arguments[1], 'rb')
  expected = file:read('*a')
  file:close()
end

function response(status, headers, body)
  if status ~= 200 or body ~= expected then wrong = wrong + 1 end
end

function done(summary)
  local wrong, errors = 0, summary.errors
  for _, thread in ipairs(threads) do wrong = wrong + thread:get('wrong') end
  print(string.format('{"requests":%d,"bad":%d,"broken":%d}', summary.requests, wrong,
    errors.connect + errors.read + errors.write + errors.timeout))
end
