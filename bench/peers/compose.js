// compose.js: the composed replies, for Express and for Fastify: both use undici.
import { Pool } from 'undici'

// What @fastify/reply-from, and so @fastify/http-proxy, has by default.
const settings = { connections: 128, pipelining: 1, keepAliveTimeout: 60_000 }

export const users = new Pool('http://users', { ...settings, socketPath: process.env.USERS_SOCKET })
export const orders = new Pool('http://orders', { ...settings, socketPath: process.env.ORDERS_SOCKET })

async function get(pool, path) {
  const { statusCode, body } = await pool.request({ method: 'GET', path })
  return { status: statusCode, body: await body.json() }
}

export async function userOrders(id) {
  const [user, list] = await Promise.all([
    get(users, `/users/${id}`),
    get(orders, `/orders/user/${id}?limit=1000`)
  ])
  if (user.status !== 200) return user
  if (list.status !== 200) return list
  return {
    status: 200,
    body: {
      service: 'api-gateway (orchestration)',
      user: user.body.user,
      orders_summary: { total_orders: list.body.total, orders: list.body.orders }
    }
  }
}

export async function dashboard() {
  const [people, sales] = await Promise.all([get(users, '/users/summary'), get(orders, '/orders/summary')])
  if (people.status !== 200) return people
  if (sales.status !== 200) return sales
  return {
    status: 200,
    body: {
      service: 'api-gateway (dashboard orchestration)',
      overview: {
        total_users: people.body.total_users,
        total_orders: sales.body.total_orders,
        total_revenue: sales.body.total_revenue,
        average_order_value: sales.body.average_order_value
      },
      orders_analysis: { by_status: sales.body.by_status, by_category: sales.body.by_category },
      most_active_user: sales.body.most_active_user
    }
  }
}
