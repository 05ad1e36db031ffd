// Sends what Redis publishes to everyone, on Node's `ws`: node node_redis.mjs PORT PROCESSES
import cluster from "node:cluster";
import { createClient } from "redis";
import { WebSocketServer } from "ws";

const [port, processes] = process.argv.slice(2).map(Number);

if (processes > 1 && cluster.isPrimary) {
  for (let number = 0; number < processes; number += 1) cluster.fork();
} else {
  await serve();
}

async function serve() {
  const server = new WebSocketServer({ host: "127.0.0.1", port });
  const client = await createClient({ url: process.env.REDIS_URL }).connect();
  await client.subscribe("fanout", (message) => {
    for (const socket of server.clients) socket.send(message);
  });
}
