-- replies.lua: the composed replies.
local json = require "cjson"
local capture_multi = ngx.location.capture_multi

local function answer(status, body)
  ngx.status = status
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

-- Both at the same time; what is not 200 is answered as it is.
local function get_both(users_path, orders_path)
  local first, second = capture_multi({ { "/.users" .. users_path }, { "/.orders" .. orders_path } })
  for _, reply in ipairs({ first, second }) do
    if reply.status ~= 200 then
      answer(reply.status, reply.body)
      return nil
    end
  end
  return json.decode(first.body), json.decode(second.body)
end

local replies = {}

function replies.user_orders(id)
  local user, list = get_both("/users/" .. id, "/orders/user/" .. id .. "?limit=1000")
  if not user then return end
  answer(200, json.encode({
    service = "api-gateway (orchestration)",
    user = user.user,
    orders_summary = { total_orders = list.total, orders = list.orders },
  }))
end

function replies.dashboard()
  local people, sales = get_both("/users/summary", "/orders/summary")
  if not people then return end
  answer(200, json.encode({
    service = "api-gateway (dashboard orchestration)",
    overview = {
      total_users = people.total_users,
      total_orders = sales.total_orders,
      total_revenue = sales.total_revenue,
      average_order_value = sales.average_order_value,
    },
    orders_analysis = { by_status = sales.by_status, by_category = sales.by_category },
    most_active_user = sales.most_active_user,
  }))
end

return replies
