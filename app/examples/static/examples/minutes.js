// A form whose fields several people change at the same time.

import { connect } from "../django_websocket/websocket.js";
import { fieldErrors } from "./fields.js";
import { statusLine } from "./status.js";

const form = document.querySelector("#form");
const fields = [...form.elements].filter((field) => field.name);
const showErrors = fieldErrors(form);
const showState = statusLine(document.querySelector("#status"));
let present = []; // "field:name" of everyone
const underWay = []; // names of fields that the server has not confirmed yet
let self = "";

function show(values) {
  for (const field of fields) {
    if (!(field.name in values) || underWay.includes(field.name) || field.ariaInvalid === "true") continue;
    const value = String(values[field.name] ?? "");
    if (field.value.trim() !== value.trim()) field.value = value;
  }
}

function showPeople({ present: all, joined = [], left = [] }) {
  present = [...(all ?? present), ...joined].filter((each) => !left.includes(each));
  for (const { name, id } of fields) {
    const here = present.filter((each) => each.startsWith(`${name}:`) && each !== `${name}:${self}`);
    form.querySelector(`#${id}_people`).textContent = here.map((each) => each.slice(name.length + 1)).join(", ");
  }
}

async function focus(field = form.contains(document.activeElement) ? document.activeElement.name : "") {
  if (connection.state.name !== "open") return; // it is asked again when it is
  const answer = await connection.request("focus", { field }).catch(() => null);
  self = answer?.name ?? self;
  show(answer?.fields ?? {});
}

async function change({ target: { name, value } }) {
  underWay.push(name);
  const asked = connection.request("change", { [name]: value }, { again: true, timeout: Infinity });
  const outcome = await asked.catch((error) => error);
  underWay.splice(underWay.indexOf(name), 1);
  showErrors(outcome?.fields ?? {}, outcome?.message);
}

const connection = connect(document.querySelector("[data-socket]").dataset.socket, {
  onJSON(message) {
    if (message.gap) focus();
    else if (message.data) show(message.data);
    else showPeople(message);
  },
  onState(state) {
    showState(state);
    if (state.name === "open") focus();
  },
});
form.addEventListener("input", change);
form.addEventListener("focusin", ({ target }) => focus(target.name));
form.addEventListener("focusout", ({ relatedTarget }) => relatedTarget?.form === form || focus(""));
