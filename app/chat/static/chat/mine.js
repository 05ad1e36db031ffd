// Which messages are the visitor's own. The server knows a guest's by their keys, which this browser
// keeps; a member's by the account.

const STORE = "chat.keys";
const MOST = 200;

/** By the ids of the messages. Other windows add theirs, so it is read anew; once for many messages. */
export function storedKeys() {
  try {
    return JSON.parse(localStorage.getItem(STORE)) ?? {};
  } catch {
    return {};
  }
}

export function remember(id, key) {
  const entries = [...Object.entries(storedKeys()), [id, key]].slice(-MOST);
  localStorage.setItem(STORE, JSON.stringify(Object.fromEntries(entries)));
}

/** `member` is the name of the member who is logged in, if one is; `keys` are `storedKeys()`. */
export function isMine(item, member, keys) {
  const byMember = !item.querySelector(".badge").hidden;
  if (byMember) return item.querySelector(".name").textContent === member;
  return item.dataset.id in keys;
}
