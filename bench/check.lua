-- check: says the same as slice.lua, and holds every single reply against the bytes that are expected. It costs
-- wrk some time for each reply, so it runs in front of what is measured, not in it.
--
--   wrk ... -s check.lua URL -- FILE       what is not as FILE holds it counts as an error
local threads = {}

function setup(thread)
  thread:set('wrong', 0)
  threads[#threads + 1] = thread
end

-- Members in another order are the same JSON; lua-cjson writes them in any.
local function members(text)
  local found = {}
  for member in text:gmatch('[^][,{}]+') do found[#found + 1] = member end
  table.sort(found)
  return table.concat(found, ',')
end

function init(arguments)
  local file = io.open(arguments[1], 'rb')
  expected = file:read('*a')
  file:close()
  expected_members = members(expected)
end

function response(status, headers, body)
  if status == 200 and (body == expected or #body == #expected and members(body) == expected_members) then return end
  wrong = wrong + 1
  example = status .. ' ' .. body:sub(1, 300)
end

function done(summary)
  local wrong, errors = 0, summary.errors
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get('wrong')
    if thread:get('example') then print('WRONG ' .. thread:get('example')) end
  end
  print(string.format('MEASURED %d %d %d %d %d 0 0 0 0', summary.requests, summary.duration, summary.bytes, wrong,
    errors.connect + errors.read + errors.write + errors.timeout))
end
