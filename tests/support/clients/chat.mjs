// The same as chat.py, in Node, without a package.

import { createInterface } from "node:readline";

const [url, name] = process.argv.slice(2);
let number = 0;
let last = "0";
let socket;
let wanted = [];
let received = [];

function openSocket() {
  received = [];
  socket = new WebSocket(`${url}?since=${last}`);
  socket.onmessage = ({ data }) => {
    received.push(JSON.parse(data));
    match();
  };
  return new Promise((resolve) => { socket.onopen = resolve; });
}

function match() {
  while (wanted.length && received.length) {
    const message = received.shift();
    if (message.id && message.channel) last = message.id;
    if (wanted[0].test(message)) wanted.shift().resolve(message);
  }
}

function receive(test) {
  return new Promise((resolve) => {
    wanted.push({ test, resolve });
    match();
  });
}

const isText = (message) => message.channel && message.data?.text !== undefined;

async function say(text) {
  const id = `${name}-${(number += 1)}`;
  const data = { type: "say", name, colour: "#1a2b3c", text };
  socket.send(JSON.stringify({ type: "ws.request", id, data }));
  const reply = await receive((message) => message.id === id);
  return reply.error ?? reply.data;
}

await openSocket();
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...values] = JSON.parse(line);
  let result = null;
  if (command === "say") result = await say(...values);
  else if (command === "leave") socket.close();
  else {
    if (command === "reconnect") await openSocket();
    result = (await receive(isText)).data.text;
  }
  console.log(JSON.stringify(result));
}
socket.close();
