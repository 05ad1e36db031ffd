// Which messages are the visitor's own. The server knows a guest's by their keys, which this browser
// keeps; a member's by the account.

const STORE = "chat.keys";
const MOST = 200;

function stored() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}

export function remember(id, key) {
  const entries = [...Object.entries(stored()), [id, key]].slice(-MOST);
  localStorage.setItem(STORE, JSON.stringify(Object.fromEntries(entries)));
}

export function keyOf(id) {
  return stored()[id];
}

/** `member` is the name of the member who is logged in, if one is. */
export function isMine(item, member) {
  const byMember = !item.querySelector(".badge").hidden;
  if (byMember) return item.querySelector(".name").textContent === member;
  return item.dataset.id in stored();
}
