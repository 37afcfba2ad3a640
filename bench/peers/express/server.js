// server.js: Express with http-proxy-middleware; see ../README.md for where each setting is from.
import http from 'node:http'
import express from 'express'
import morgan from 'morgan'
import { createProxyMiddleware } from 'http-proxy-middleware'
import { dashboard, userOrders } from '../compose.js'
import { work } from '../workers.js'

const agent = new http.Agent({ keepAlive: true })

const pass = (socketPath, path) =>
  createProxyMiddleware({
    target: { protocol: 'http:', host: 'localhost', socketPath },
    agent,
    pathFilter: path
  })

const app = express()
app.disable('x-powered-by')
app.use(morgan('combined'))
app.get('/users/:id/orders', async (request, response) => {
  const reply = await userOrders(encodeURIComponent(request.params.id))
  response.status(reply.status).json(reply.body)
})
app.get('/dashboard', async (request, response) => {
  const reply = await dashboard()
  response.status(reply.status).json(reply.body)
})
app.use(pass(process.env.USERS_SOCKET, '/users'))
app.use(pass(process.env.ORDERS_SOCKET, '/orders'))

work(port => app.listen(port, '127.0.0.1'))
