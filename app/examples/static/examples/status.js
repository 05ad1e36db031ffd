// The line that tells how the connection stands.

const CLOSED = {
  1000: "The server has closed the connection.",
  4401: "Your session has ended. Reload the page.",
  4403: "You do not have permission to join.",
  4404: "This socket does not exist.",
};

/**
 * Makes an `onState` for `connect()` that shows the state in `element`.
 *
 * Screen readers announce that the connection is lost and that it is back. The countdown and the
 * attempts in between are only visible.
 */
export function statusLine(element) {
  const text = document.createElement("span");
  const detail = document.createElement("span");
  detail.setAttribute("aria-hidden", "true");
  element.replaceChildren(text, detail);
  let counting;

  function show(state, words, more = "") {
    element.dataset.state = state;
    if (text.textContent !== words) text.textContent = words;
    detail.textContent = more;
  }

  function count(until) {
    const seconds = Math.ceil((until - Date.now()) / 1000);
    show("lost", "Connection lost.", seconds > 1 ? ` Reconnecting in ${seconds} s` : " Reconnecting…");
  }

  return (state) => {
    clearInterval(counting);
    if (state.name === "open") {
      show("open", "Connected");
    } else if (state.name === "closed") {
      show("lost", state.reason || CLOSED[state.code] || "The connection is closed.");
    } else if (state.name === "waiting") {
      count(state.until);
      counting = setInterval(count, 1000, state.until);
    } else if (element.dataset.state === "lost") {
      show("lost", "Connection lost.", " Reconnecting…");
    } else {
      show("connecting", "Connecting…");
    }
  };
}
