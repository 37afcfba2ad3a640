// workers.js: as many processes of a server as there are cores, as the documentation of Node.js
// (page "Cluster") does it. Ended by SIGTERM or SIGINT to the first of them.
import cluster from 'node:cluster'

export function work(serve) {
  if (cluster.isWorker) return serve(Number(process.env.PORT))
  for (let i = 0; i < Number(process.env.CORES); i++) cluster.fork()
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.on(signal, () => {
      for (const worker of Object.values(cluster.workers)) worker.process.kill('SIGTERM')
      process.exit(0)
    })
  }
}
