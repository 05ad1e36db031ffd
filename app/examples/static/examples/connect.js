// A socket that comes back by itself.

const FIRST_WAIT = 500; // milliseconds
const LONGEST_WAIT = 10_000;

/**
 * Keep a socket open to `url`. `status` is the element that tells how the connection stands,
 * `onMessage` gets each message (a string or an ArrayBuffer), `onLost` is called at each loss.
 * Returns `send(message)`, which says whether there was a connection to send on.
 */
export function connect(url, status, onMessage, onLost = () => {}) {
  let socket;
  let timer;
  let wait = FIRST_WAIT;

  function show(state, text) {
    if (status.dataset.state === state) return; // screen readers hear a change, not each attempt
    status.dataset.state = state;
    status.textContent = text;
  }

  function open() {
    clearTimeout(timer);
    socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      wait = FIRST_WAIT;
      show("open", "Connected");
    });
    socket.addEventListener("message", (event) => onMessage(event.data));
    socket.addEventListener("close", () => {
      show("lost", "Connection lost. Trying again…");
      onLost();
      // Half of the wait is by chance, so that not all clients of a server come back at once.
      timer = setTimeout(open, wait * (0.5 + Math.random() / 2));
      wait = Math.min(wait * 2, LONGEST_WAIT);
    });
  }

  addEventListener("online", () => {
    if (socket.readyState === WebSocket.CLOSED) open();
  });
  // A page in the browser's back-forward cache has lost its socket unnoticed.
  addEventListener("pageshow", (event) => {
    if (event.persisted && socket.readyState === WebSocket.CLOSED) open();
  });
  open();

  return (message) => {
    const connected = socket.readyState === WebSocket.OPEN;
    if (connected) socket.send(message);
    return connected;
  };
}
