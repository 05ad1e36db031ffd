// A WebSocket that comes back by itself, and goes on after the last message that it had.
//
//     const connection = connect("/chat/lobby/", { onJSON: (message) => show(message.data) });
//     connection.send("hello");
//
// All times are milliseconds. What goes over the connection: docs/reference/client-protocol.md.

/** The limit of the first delay after a lost connection; it doubles with each failed attempt. */
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;

/** The same for a server that restarts: another instance serves already. */
const FIRST_WAIT_SOON = 250;

/** The least wait for a server that asks for it. */
const LATER = 5_000;

/** A page that nobody sees waits so many times longer. */
const HIDDEN = 10;

/** When no heartbeat has come in time: so long may one still be on its way through this page. */
const LATE = 2_000;

/** No reply to a request for so long is an error. */
const REPLY = 10_000;

/** A browser's timer that is set to more fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

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

/** The longest reason of a close frame, in bytes (RFC 6455 section 5.5). */
const LONGEST_REASON = 123;

/** How a message of the worker's own begins. */
const RESERVED = /^\{"type":\s*"ws\./;

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

/** @typedef {Parameters<WebSocket["send"]>[0]} Sendable */

/**
 * @typedef {object} RequestOptions
 * @property {number} [timeout] milliseconds: 10,000; Infinity: for as long as the connection is there
 * @property {boolean} [again] send it again on the next connection, instead of failing with `lost`
 * @property {AbortSignal} [signal] no longer wait
 */

/**
 * @template T
 * @typedef {T | (() => T | PromiseLike<T>)} Given what it is, or a function that finds it each time
 */

/**
 * @typedef {object} Backoff
 * @property {number} [first] the limit of the first delay: 1,000
 * @property {number} [longest] the limit that it grows to: 30,000
 * @property {number} [hidden] how many times longer a page waits that nobody sees: 10
 */

/**
 * @typedef {object} Pending
 * @property {string} text
 * @property {boolean} sent
 * @property {boolean} again
 * @property {(data: any) => void} resolve
 * @property {(error: Error) => void} reject
 */

/**
 * The place of a message: its id, which grows with every message of its channel.
 *
 * @typedef {{ id: string, channel: string }} Place
 */

/**
 * @typedef {object} Options
 * @property {(data: string | ArrayBuffer) => void} [onMessage] gets each message once
 * @property {(value: any, data: string) => void} [onJSON] gets each message that is JSON text, parsed;
 *   `onMessage` gets the others
 * @property {(state: State) => void} [onState] gets each state, the first before `connect` returns
 * @property {string} [since] the id to go on from with the first connection; `"0"`: all that the
 *   server keeps
 * @property {(data: string | ArrayBuffer) => Place | null} [place] finds a message's id and
 *   channel, where the server's `encode=` does not begin with them
 * @property {"refuse" | "queue"} [offline] what `send()` does without a connection
 * @property {number} [queueSize] how many messages a queue holds
 * @property {number[]} [final] close codes of the application's own after which it is all over
 * @property {Given<string | string[]>} [protocols] subprotocols to offer
 * @property {Backoff} [backoff] how long it waits after a lost connection
 * @property {boolean} [heartbeat] false: ask for no heartbeats
 * @property {AbortSignal} [signal] closes the connection
 */

/**
 * Keep a socket open to `url`: a path, or an address with http, https, ws or wss. By default the
 * page's own, which a socket may share.
 * @param {Given<string | URL> | null} [url]
 * @param {Options} [options]
 */
export function connect(url, options) {
  return new Connection(url, options);
}

/**
 * Why a request has no reply. `code` is the server's, or `lost`, `timeout`, `closed`, `aborted`;
 * `fields` are sentences by the name of a field.
 */
export class RequestError extends Error {
  name = "RequestError";

  /**
   * @param {string} code
   * @param {string} message
   * @param {Record<string, string[]>} [fields]
   */
  constructor(code, message, fields = {}) {
    super(message);
    this.code = code;
    this.fields = fields;
  }
}

export class Connection {
  #url;
  #options;
  #backoff;
  #queueSize;
  #final;
  /** @type {State} */ #state = { name: "connecting" };
  /** @type {WebSocket | null} */ #socket = null;
  /** @type {Sendable[]} */ #queue = [];
  /** @type {Map<string, Pending>} */ #requests = new Map();
  /** @type {Map<string, string>} */ #seen = new Map(); // the last message's id, by channel
  /** @type {Map<string, string>} */ #positions = new Map(); // of channels from which none has come
  /** @type {AbortController | null} */ #watch = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #beat;
  #within = 0; // the time in which something has to come; 0: the server has promised nothing
  #received = 0; // when something came last, in performance.now()
  #opening = 0; // which attempt is the last
  #tries = 0; // failed attempts since the last good connection
  #name = ""; // of this connection's requests
  #number = 0;

  /**
   * @param {Given<string | URL> | null} [url]
   * @param {Options} [options]
   */
  constructor(url, options = {}) {
    this.#url = url;
    this.#options = options;
    this.#backoff = { first: FIRST_WAIT, longest: LONGEST_WAIT, hidden: HIDDEN, ...options.backoff };
    this.#queueSize = options.offline === "queue" ? (options.queueSize ?? 100) : 0;
    this.#final = [...FINAL, ...(options.final ?? [])];
    if (!globalThis.WebSocket) {
      throw new Error("Expected a WebSocket, found none: connect in the browser, or in Node 22.");
    }
    if (typeof url !== "function") address(url); // throws for what is none
    options.signal?.addEventListener("abort", () => this.close());
    if (options.signal?.aborted) this.#end(1000, "");
    else this.retry();
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
    // A view that knows one position only goes on from the channel that is furthest behind. What the
    // others then send again is known by its id.
    if (this.#seen.size) return [...this.#seen.values()].sort()[0];
    // One position may be that of another channel than the view's next one.
    if (this.#positions.size !== 1) return this.#options.since;
    return this.#options.since ?? [...this.#positions.values()][0];
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
      this.#socket.send(message);
      return true;
    }
    if (this.#state.name === "closed" || this.#queue.length >= this.#queueSize) return false;
    this.#queue.push(message);
    return true;
  }

  /**
   * Send a value as JSON text. Returns what `send()` does.
   * @param {unknown} value
   */
  sendJSON(value) {
    return this.send(JSON.stringify(value));
  }

  /**
   * Send an event with its fields, and wait for the answer of its handler: `request("rename",
   * { name: "Ada" })` sends `{"type": "rename", "name": "Ada"}`; the fields may be a page's FormData.
   * Or send any other data than a text, for `parse_request()` in the view.
   *
   * Rejects with a `RequestError`: of the server's; `timeout`; `lost` when the connection ends before
   * the reply, so that nobody knows whether the server has done it. With `again` it is sent again on
   * the next connection instead, under the same id: the server has to know it by that. A `timeout`
   * of Infinity is none.
   *
   * @overload
   * @param {string} type
   * @param {object | null} [fields]
   * @param {RequestOptions} [options]
   * @returns {Promise<any>}
   */
  /**
   * @overload
   * @param {unknown} data
   * @param {RequestOptions} [options]
   * @returns {Promise<any>}
   */
  /**
   * @param {any} data
   * @param {any[]} rest
   */
  request(data, ...rest) {
    if (typeof data !== "string") return this.#request(data, rest[0]);
    return this.#request({ ...plain(rest[0]), type: data }, rest[1]);
  }

  /**
   * @param {unknown} data
   * @param {RequestOptions} [options]
   * @returns {Promise<any>}
   */
  #request(data, { timeout = REPLY, again = false, signal } = {}) {
    this.#name ||= unique();
    const id = `${this.#name}-${(this.#number += 1)}`;
    const text = JSON.stringify({ type: "ws.request", id, data });
    return new Promise((resolve, reject) => {
      const fail = (/** @type {string} */ code, /** @type {string} */ message) =>
        pending.reject(new RequestError(code, message));
      const abort = () => fail("aborted", "The request was aborted.");
      const late = () => fail("timeout", "The server has not replied in time.");
      const timer = timeout <= LONGEST_TIMER ? setTimeout(late, timeout) : undefined;
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
        this.#requests.delete(id);
      };
      const pending = {
        text,
        again,
        sent: false,
        resolve: (/** @type {any} */ value) => (done(), resolve(value)),
        reject: (/** @type {Error} */ error) => (done(), reject(error)),
      };
      this.#requests.set(id, pending);
      signal?.addEventListener("abort", abort);
      if (signal?.aborted) abort();
      else if (this.#state.name === "closed") fail("closed", "The connection is closed.");
      else this.#ask();
    });
  }

  /**
   * Be done with it. A code or a reason that a browser may not send leaves as 1000, or cut to 123
   * bytes.
   */
  close(code = 1000, reason = "") {
    if (this.#state.name === "closed") return;
    const socket = this.#socket;
    this.#end(code, reason);
    const fits = code === 1000 || (code >= 3000 && code <= 4999);
    socket?.close(fits ? code : 1000, shortened(reason));
  }

  /** Try now, even if closed permanently: the visitor may have logged in. */
  retry() {
    if (this.#socket || (this.#watch && this.#state.name === "connecting")) return;
    if (!this.#watch) this.#watchThePage();
    this.#open();
  }

  async #open() {
    this.#drop();
    const attempt = this.#opening;
    this.#timer = setTimeout(() => {
      this.#drop()?.close();
      this.#lost(1006, "");
    }, HANDSHAKE);
    this.#enter({ name: "connecting" });
    try {
      const { protocols = [] } = this.#options;
      const given = typeof this.#url === "function" ? this.#url() : this.#url;
      const offered = typeof protocols === "function" ? protocols() : protocols;
      // Without a function there is nothing to wait for, and the socket is here at once.
      const url = isPromise(given) ? await given : given;
      const names = isPromise(offered) ? await offered : offered;
      if (attempt === this.#opening) this.#connect(new WebSocket(this.#withPositions(url), names));
    } catch (error) {
      if (attempt === this.#opening) this.#lost(1006, `${error}`);
    }
  }

  /** @param {string | URL | null} [given] */
  #withPositions(given) {
    const url = address(given);
    const { searchParams } = url;
    if (this.#options.heartbeat !== false) searchParams.set("wire", "1");
    if (this.since) searchParams.set("since", this.since);
    const positions = new Map([...this.#positions, ...this.#seen]);
    if (positions.size && this.#options.since) searchParams.set("since.", this.#options.since);
    for (const [channel, id] of positions) searchParams.set(`since.${channel}`, id);
    return url;
  }

  /** @param {WebSocket} socket */
  #connect(socket) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.#opened(socket);
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.#lost(event.code, event.reason);
  }

  /** @param {WebSocket} socket */
  #opened(socket) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#tries = 0;
    }, STABLE);
    for (const message of this.#queue.splice(0)) socket.send(message);
    this.#ask();
    this.#enter({ name: "open" });
  }

  /** Send what waits for a reply and is not under way. */
  #ask() {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    for (const pending of this.#requests.values()) {
      if (!pending.sent) this.#socket.send(pending.text);
      pending.sent = true;
    }
  }

  /** @param {string | ArrayBuffer} data */
  #receive(data) {
    this.#received = performance.now();
    const { place: find = place, onMessage, onJSON } = this.#options;
    if (typeof data === "string" && RESERVED.test(data)) {
      this.#understand(parsed(data) ?? {});
      return;
    }
    const found = find(data);
    if (found) {
      const last = this.#seen.get(found.channel);
      if (last !== undefined && found.id <= last) return;
      this.#seen.set(found.channel, found.id);
    }
    const value = onJSON && typeof data === "string" ? parsed(data) : undefined;
    if (onJSON && value !== undefined) onJSON(value, /** @type {string} */ (data));
    else onMessage?.(data);
  }

  /**
   * What the worker says beside the view's messages. A type of a later version means nothing here.
   * @param {any} message
   */
  #understand({ type, within, id, channel, error, data }) {
    if (type === "ws.heartbeat") {
      this.#within = within * 1000;
      clearTimeout(this.#beat);
      this.#beat = setTimeout(() => this.#listen(), this.#within);
    } else if (type === "ws.position") {
      if (!this.#seen.has(channel)) this.#positions.set(channel, id);
    } else if (type === "ws.reply") {
      const pending = this.#requests.get(id);
      if (error && !id) console.warn(`${error.code}: ${error.message}`); // of a message, not a request
      else if (error) pending?.reject(new RequestError(error.code, error.message, error.fields));
      else pending?.resolve(data);
    }
  }

  /** Is anybody there? Timers of a hidden page may be late, and messages wait behind them. */
  #listen(late = false) {
    const left = this.#received + this.#within - performance.now();
    if (left > 0 || !late) {
      this.#beat = setTimeout(() => this.#listen(left <= 0), left > 0 ? left : LATE);
      return;
    }
    this.#drop()?.close();
    this.#lost(1006, "no heartbeat");
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
    for (const pending of [...this.#requests.values()]) {
      if (!pending.sent) continue;
      if (pending.again) pending.sent = false;
      else pending.reject(new RequestError("lost", "The connection was lost before the reply."));
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
    const { first: usual, longest, hidden } = this.#backoff;
    const first = code === RESTARTS ? Math.min(usual, FIRST_WAIT_SOON) : usual;
    const bound = Math.min(longest, first * 2 ** this.#tries);
    const least = OVERLOADED.includes(code) ? LATER : 0;
    this.#tries += 1;
    return (least + Math.random() * bound) * (globalThis.document?.hidden ? hidden : 1);
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
    for (const pending of [...this.#requests.values()]) {
      pending.reject(new RequestError("closed", "The connection is closed."));
    }
    this.#enter({ name: "closed", code, reason });
  }

  /** Remove the socket's listeners and cancel the timers; returns what is left of the socket. */
  #drop() {
    this.#opening += 1;
    this.#within = 0;
    clearTimeout(this.#timer);
    clearTimeout(this.#beat);
    const socket = this.#socket;
    if (socket) socket.onopen = socket.onmessage = socket.onclose = null;
    this.#socket = null;
    return socket;
  }

  /** @param {State} state */
  #enter(state) {
    this.#state = state;
    this.#options.onState?.(state);
  }

  #watchThePage() {
    this.#watch = new AbortController();
    const { signal } = this.#watch;
    const { addEventListener: listen = () => {}, document } = globalThis;
    // A socket that was open has lost its network, and may never get an event.
    listen("online", () => this.#renew(), { signal });
    listen("offline", () => {
      if (!this.#socket) return; // the next try has its time already
      this.#drop()?.close();
      this.#lost(1006, "offline");
    }, { signal });
    // A page that comes back from the browser's back-forward cache has lost its socket.
    listen("pageshow", (event) => event.persisted && this.#renew(), { signal });
    document?.addEventListener("visibilitychange", () => {
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

/** A name that no other connection has. Pages without TLS have no crypto.randomUUID(). */
function unique() {
  const { crypto } = globalThis;
  return crypto.randomUUID?.() ?? crypto.getRandomValues(new Uint32Array(4)).join("");
}

/**
 * The URL of a socket. Throws a TypeError for what is none.
 * @param {string | URL | null} [given]
 */
function address(given) {
  const page = globalThis.location?.href;
  const url = new URL(given ?? page, page);
  url.protocol = url.protocol.replace("http", "ws");
  url.hash = "";
  return url;
}

/**
 * As much of a text as a close frame carries.
 * @param {string} reason
 */
function shortened(reason) {
  const bytes = new TextEncoder().encode(reason);
  if (bytes.length <= LONGEST_REASON) return reason;
  return new TextDecoder().decode(bytes.slice(0, LONGEST_REASON)).replace(/\ufffd$/, "");
}

/**
 * Also one of another library, or of another window.
 * @template T
 * @param {T | PromiseLike<T>} value
 * @returns {value is PromiseLike<T>}
 */
function isPromise(value) {
  return typeof (/** @type {any} */ (value)?.then) === "function";
}

/**
 * The fields of a form as an object; what is there more than once, as a list.
 * @param {any} fields
 */
function plain(fields) {
  if (!(fields instanceof FormData)) return fields;
  /** @type {Record<string, any>} */
  const found = Object.create(null);
  fields.forEach((value, name) => {
    found[name] = name in found ? [found[name], value].flat() : value;
  });
  return found;
}

/** @param {string} data */
function parsed(data) {
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
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
