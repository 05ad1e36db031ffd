// A WebSocket that comes back by itself, and goes on after the last message that it had.
//
//     import { connect } from "/static/django_websocket/websocket.js";
//
//     const connection = connect("/chat/lobby/", { onMessage: (data) => show(JSON.parse(data)) });
//     connection.send("hello");
//
// All times are milliseconds.

/** The limit of the first delay after a lost connection; it doubles with each failed attempt. */
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;

/** The same for a server that restarts: another instance serves already. */
const FIRST_WAIT_SOON = 250;

/** The least wait for a server that asks for it. */
const LATER = 5_000;

/** A page that nobody sees waits so many times longer. */
const HIDDEN = 10;

/** A connection that lasts so long is a good one: the waits begin anew. */
const STABLE = 5_000;

/** No answer to a handshake for so long is a no. */
const HANDSHAKE = 10_000;

/** A clock that goes on by ASLEEP between two looks is that of a machine that slept. A browser lets
 * a hidden page look once a minute at least. */
const TICK = 10_000;
const ASLEEP = 90_000;

const RESTARTS = 1012;
const OVERLOADED = [1013, 4429];

/** 1000: the server is done. The rest: it refuses this visitor, so trying again is pointless. */
const FINAL = [1000, 1008, 4401, 4403, 4404];

/** How a message that was published begins; see django_websocket/pubsub/message.py. */
const PUBLISHED = /^\{"id":\s*"([^"\\]+)",\s*"channel":\s*("(?:[^"\\]|\\.)*")/;

/**
 * How the connection stands.
 *
 * - `connecting`: a handshake is under way
 * - `open`: messages go out and come in
 * - `waiting`: it was lost, or not to be had (`code` and `reason`); the next try is at `until`,
 *   in milliseconds since 1970 as in `Date.now()`
 * - `closed`: permanently (`code` and `reason`); only `retry()` tries again
 *
 * @typedef {{ name: "connecting" } | { name: "open" }
 *   | { name: "waiting", code: number, reason: string, until: number }
 *   | { name: "closed", code: number, reason: string }} State
 */

/** @typedef {string | ArrayBufferLike | ArrayBufferView<ArrayBuffer> | Blob} Sendable */

/**
 * The place of a message: its id, which grows with every message of its channel.
 *
 * @typedef {{ id: string, channel: string }} Place
 */

/**
 * @typedef {object} Options
 * @property {(data: string | ArrayBuffer) => void} [onMessage] gets each message once
 * @property {(state: State) => void} [onState] gets each state, the first before `connect` returns
 * @property {string} [since] the id to go on from with the first connection; `"0"`: all that the
 *   server keeps
 * @property {(data: string | ArrayBuffer) => Place | null} [place] finds a message's id and
 *   channel, where the server's `encode=` does not begin with them
 * @property {"refuse" | "queue"} [offline] what `send()` does without a connection
 * @property {number} [queueSize] how many messages a queue holds
 * @property {number[]} [final] close codes of the application's own after which it is all over
 * @property {string | string[]} [protocols] subprotocols to offer
 */

/**
 * Keep a socket open to `url`: a path, or an address with http, https, ws or wss.
 * @param {string | URL} url
 * @param {Options} [options]
 */
export function connect(url, options) {
  return new Connection(url, options);
}

export class Connection {
  #url;
  #protocols;
  #onMessage;
  #onState;
  #place;
  #first;
  #queueSize;
  #final;
  /** @type {State} */ #state = { name: "connecting" };
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Sendable[]} */ #queue = [];
  /** @type {Map<string, string>} */ #seen = new Map(); // the last id by channel
  /** @type {AbortController | null} */ #watch = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #tries = 0; // failed attempts since the last good connection

  /**
   * @param {string | URL} url
   * @param {Options} [options]
   */
  constructor(url, options = {}) {
    this.#url = new URL(url, location.href);
    this.#url.protocol = this.#url.protocol.replace("http", "ws");
    this.#protocols = options.protocols ?? [];
    this.#onMessage = options.onMessage ?? (() => {});
    this.#onState = options.onState ?? (() => {});
    this.#place = options.place ?? place;
    this.#first = options.since;
    this.#queueSize = options.offline === "queue" ? (options.queueSize ?? 100) : 0;
    this.#final = [...FINAL, ...(options.final ?? [])];
    this.retry();
  }

  get state() {
    return this.#state;
  }

  /** How many messages wait for a connection. */
  get queued() {
    return this.#queue.length;
  }

  /** The id that the next connection goes on from; undefined: from whatever comes. */
  get since() {
    // A page with several channels goes on from the one that is furthest behind. What the others
    // then send again is known by its id.
    return this.#seen.size ? [...this.#seen.values()].sort()[0] : this.#first;
  }

  /**
   * Send a message, or queue it where `offline` is `"queue"`.
   *
   * Returns false when it was refused: there is no connection, and no queue or no room in it. True
   * does not say that the server got it; only an answer of the server's says that.
   *
   * @param {Sendable} message
   */
  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(/** @type {any} */ (message));
      return true;
    }
    if (this.#state.name === "closed" || this.#queue.length >= this.#queueSize) return false;
    this.#queue.push(message);
    return true;
  }

  /** Be done with it. */
  close(code = 1000, reason = "") {
    if (this.#state.name === "closed") return;
    const socket = this.#socket;
    this.#end(code, reason);
    socket?.close(code, reason);
  }

  /** Try now, even if closed permanently: the visitor may have logged in. */
  retry() {
    if (this.#socket) return;
    if (!this.#watch) this.#watchThePage();
    this.#open();
  }

  #open() {
    this.#drop();
    const url = new URL(this.#url);
    if (this.since) url.searchParams.set("since", this.since);
    const socket = new WebSocket(url, this.#protocols);
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#lost(event.code, event.reason);
    this.#timer = setTimeout(() => {
      this.#drop()?.close();
      this.#lost(1006, "");
    }, HANDSHAKE);
    this.#enter({ name: "connecting" });
  }

  /** @param {WebSocket} socket */
  #opened(socket) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#tries = 0;
    }, STABLE);
    for (const message of this.#queue.splice(0)) socket.send(/** @type {any} */ (message));
    this.#enter({ name: "open" });
  }

  /** @param {string | ArrayBuffer} data */
  #receive(data) {
    const found = this.#place(data);
    if (found) {
      const last = this.#seen.get(found.channel);
      if (last !== undefined && found.id <= last) return;
      this.#seen.set(found.channel, found.id);
    }
    this.#onMessage(data);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #lost(code, reason) {
    this.#drop();
    if (this.#final.includes(code)) {
      this.#end(code, reason);
      return;
    }
    const wait = this.#wait(code);
    this.#timer = setTimeout(() => this.#open(), wait);
    this.#enter({ name: "waiting", code, reason, until: Date.now() + wait });
  }

  /**
   * Anything between nothing and a bound that doubles, so that the clients of a server that was
   * away do not all come back at once ("full jitter").
   *
   * @param {number} code
   */
  #wait(code) {
    const first = code === RESTARTS ? FIRST_WAIT_SOON : FIRST_WAIT;
    const bound = Math.min(LONGEST_WAIT, first * 2 ** this.#tries);
    const least = OVERLOADED.includes(code) ? LATER : 0;
    this.#tries += 1;
    return (least + Math.random() * bound) * (globalThis.document?.hidden ? HIDDEN : 1);
  }

  /**
   * @param {number} code
   * @param {string} reason
   */
  #end(code, reason) {
    this.#drop();
    this.#watch?.abort();
    this.#watch = null;
    this.#tries = 0;
    this.#enter({ name: "closed", code, reason });
  }

  /** Remove the socket's listeners and cancel the timers; returns what is left of the socket. */
  #drop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    this.#socket = null;
    return socket;
  }

  /** @param {State} state */
  #enter(state) {
    this.#state = state;
    this.#onState(state);
  }

  #watchThePage() {
    this.#watch = new AbortController();
    const { signal } = this.#watch;
    // A socket that was open has lost its network meanwhile, and may never get an event.
    addEventListener("online", () => this.#renew(), { signal });
    // A page that comes back from the browser's back-forward cache has lost its socket.
    addEventListener("pageshow", (event) => event.persisted && this.#renew(), { signal });
    globalThis.document?.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#state.name === "waiting") this.#open();
    }, { signal });
    let last = Date.now();
    const ticking = setInterval(() => {
      const now = Date.now();
      if (now - last > ASLEEP) this.#renew();
      last = now;
    }, TICK);
    signal.addEventListener("abort", () => clearInterval(ticking));
  }

  /** Whatever the socket seems to be, get another at once. */
  #renew() {
    this.#drop()?.close();
    this.#open();
  }
}

/**
 * The place of a message as `websocket.subscribe()` sends it.
 * @param {string | ArrayBuffer} data
 * @returns {Place | null}
 */
function place(data) {
  const found = typeof data === "string" && PUBLISHED.exec(data);
  return found ? { id: found[1], channel: JSON.parse(found[2]) } : null;
}
