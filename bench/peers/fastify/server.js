// server.js: Fastify with @fastify/http-proxy; see ../README.md for where each setting is from.
import Fastify from 'fastify'
import proxy from '@fastify/http-proxy'
import { dashboard, orders, userOrders, users } from '../compose.js'
import { work } from '../workers.js'

const text = { type: 'string' }
const integer = { type: 'integer' }
const number = { type: 'number' }
const object = properties => ({ type: 'object', properties })
const counts = { type: 'object', additionalProperties: integer }

const user = object({
  id: integer, name: text, email: text, cpf: text, member_since: text, favorite_drink: text,
  loyalty_points: integer, active: { type: 'boolean' }
})
const order = object({
  id: integer, user_id: integer, user_name: text, product: text, category: text, quantity: integer,
  price: number, status: text, order_date: text, served_by: text
})
const userOrdersSchema = object({
  service: text,
  user,
  orders_summary: object({ total_orders: integer, orders: { type: 'array', items: order } })
})
const dashboardSchema = object({
  service: text,
  overview: object({
    total_users: integer, total_orders: integer, total_revenue: number, average_order_value: number
  }),
  orders_analysis: object({ by_status: counts, by_category: counts }),
  most_active_user: { ...object({ name: text, total_orders: integer }), nullable: true }
})
const replies = schema => ({ schema: { response: { 200: schema } } })

// One line for each request, as the others write, instead of Fastify's two.
const app = Fastify({ logger: true, disableRequestLogging: true })
app.addHook('onResponse', (request, reply, done) => {
  reply.log.info({ req: request, res: reply, responseTime: reply.elapsedTime }, 'request completed')
  done()
})
app.register(proxy, { upstream: 'http://users', undici: users, prefix: '/users', rewritePrefix: '/users' })
app.register(proxy, { upstream: 'http://orders', undici: orders, prefix: '/orders', rewritePrefix: '/orders' })
app.get('/users/:id/orders', replies(userOrdersSchema), async (request, reply) => {
  const { status, body } = await userOrders(encodeURIComponent(request.params.id))
  return reply.code(status).send(body)
})
app.get('/dashboard', replies(dashboardSchema), async (request, reply) => {
  const { status, body } = await dashboard()
  return reply.code(status).send(body)
})

work(port => app.listen({ port, host: '127.0.0.1' }))
