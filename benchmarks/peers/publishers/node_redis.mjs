// Publish each line of the standard input.
import { createInterface } from "node:readline";
import { createClient } from "redis";

const client = await createClient({ url: process.env.REDIS_URL }).connect();
for await (const line of createInterface({ input: process.stdin })) client.publish("fanout", line);
