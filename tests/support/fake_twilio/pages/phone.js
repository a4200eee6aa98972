// One phone in somebody's hand: bubbles, calls, keys, words. It keeps its place and size whatever happens.

import { offers } from "./model.js";

const HOLD_MS = 900;
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];

export function node(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name in made && name !== "list") made[name] = value;
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export async function tell(path, body) {
  const asked = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  try {
    const answer = await fetch(path, asked);
    return answer.ok ? null : answer.status === 409 ? "Ya no suena." : `La operadora dijo que no (${answer.status}).`;
  } catch {
    return "La operadora no contesta. Nada se envió.";
  }
}

// A live button acts on a press; a drill's only after it is held: no hand confuses the two.
function action(words, deed, drill, more = {}) {
  if (!drill) return node("button", { type: "button", onclick: deed, ...more }, words);
  const button = node("button", { type: "button", title: "Ensayo: mantenga pulsado", ...more }, `Mantener: ${words}`);
  button.classList.add("hold");
  let timer = 0;
  const stop = () => { clearTimeout(timer); timer = 0; button.classList.remove("held"); };
  const start = (event) => {
    if (timer || (event.type === "keydown" && ![" ", "Enter"].includes(event.key))) return;
    event.preventDefault();
    button.classList.add("held");
    timer = setTimeout(() => { stop(); deed(); }, HOLD_MS);
  };
  for (const name of ["pointerdown", "keydown"]) button.addEventListener(name, start);
  for (const name of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) button.addEventListener(name, stop);
  return button;
}

export class PhoneView {
  constructor(phone, time) {
    this.phone = phone;
    this.time = time;
    this.drawn = -1;
    this.bubbles = new Map();
    this.build();
    this.draw();
  }

  build() {
    const { phone } = this;
    const draft = `draft ${phone.number}`;
    this.power = node("button", { type: "button", className: "power", role: "switch", onclick: () => this.toggle() });
    this.screen = node("ol", { className: "bubbles", tabIndex: 0, "aria-label": `Mensajes de ${phone.name}`, "aria-live": "polite" });
    this.callbox = node("div", { className: "call", hidden: true });
    this.words = node("input", { type: "text", maxLength: 320, placeholder: "Escribir…", autocomplete: "off", "aria-label": `Escribir desde ${phone.name}`, value: sessionStorage.getItem(draft) ?? "" });
    this.words.addEventListener("input", () => sessionStorage.setItem(draft, this.words.value));
    this.form = node("form", { className: "write", onsubmit: (event) => this.write(event) }, this.words, node("button", {}, "Enviar"));
    this.said = node("p", { className: "said", role: "status" });
    this.element = node("article", { className: "phone", tabIndex: -1, "aria-label": phone.name },
      node("header", {}, node("div", {}, node("h3", {}, phone.name), node("p", {}, `…${phone.number.slice(-4)}${phone.zone ? ` · ${phone.zone}` : ""}`)), this.power),
      node("div", { className: "screen" }, this.screen, this.callbox), this.said, this.form);
    this.element.dataset.number = phone.number;
  }

  draw() {
    const { phone } = this;
    if (phone.version === this.drawn) return;
    this.drawn = phone.version;
    this.element.classList.toggle("off", !phone.on);
    this.power.textContent = phone.on ? "Encendido" : "Apagado";
    this.power.setAttribute("aria-checked", String(phone.on));
    this.drawBubbles();
    this.drawCall();
  }

  drawBubbles() {
    const held = new Set(this.phone.bubbles.map((bubble) => bubble.id));
    for (const [id, row] of this.bubbles) if (!held.has(id)) { row.remove(); this.bubbles.delete(id); }
    const atEnd = this.screen.scrollHeight - this.screen.scrollTop - this.screen.clientHeight < 60;
    let added = null;
    for (const bubble of this.phone.bubbles) {
      const known = this.bubbles.get(bubble.id);
      if (!known) { const row = this.bubble(bubble); this.bubbles.set(bubble.id, row); this.screen.append(row); added = bubble; }
      else this.update(known, bubble);
    }
    if (added && (atEnd || added.side === "out")) this.screen.scrollTop = this.screen.scrollHeight;
  }

  bubble(bubble) {
    const row = node("li", { className: bubble.side });
    if (bubble.drill) row.classList.add("drill");
    const said = { voice: "Se oyó: ", in: "", out: "", note: "" }[bubble.side];
    row.append(node("p", {}, said + bubble.text));
    if (bubble.side === "in") this.offer(row, bubble);
    row.append(node("small", {}, `${this.time(bubble.at)}`));
    this.update(row, bubble);
    return row;
  }

  offer(row, bubble) {
    const offered = offers(bubble.text);
    if (!offered.length) return;
    const buttons = offered.map(({ words, word }) => action(words, () => this.say(words), bubble.drill, { className: `word ${word.toLowerCase().replace(" ", "-")}` }));
    row.append(node("div", { className: "offers" }, ...buttons));
  }

  update(row, bubble) {
    const small = row.querySelector("small");
    if (bubble.state) small.textContent = `${this.time(bubble.at)} · ${bubble.state}`;
    if (bubble.answered) {
      for (const button of row.querySelectorAll("button")) button.disabled = true;
      small.textContent = `${this.time(bubble.at)} · respondió ${bubble.answered}`;
    }
  }

  drawCall() {
    const { call } = this.phone;
    const rings = call?.status === "ringing";
    const talks = call?.status === "in-progress";
    this.element.classList.toggle("rings", Boolean(rings && this.phone.on));
    this.callbox.hidden = !(talks || (rings && this.phone.on));
    if (this.callbox.hidden) { this.shownCall = null; return; }
    const shown = `${call.sid} ${call.status} ${call.drill}`;
    if (this.shownCall !== shown) { this.shownCall = shown; this.buildCall(call, rings); }
    if (talks) {
      this.transcript.replaceChildren(...call.said.map((text) => node("p", {}, text)));
      this.transcript.scrollTop = this.transcript.scrollHeight;
    }
  }

  buildCall(call, rings) {
    this.callbox.classList.toggle("drill", call.drill);
    const title = node("strong", {}, call.drill ? "SIMULACRO (ENSAYO): llamada" : rings ? "Llamada entrante" : "En llamada");
    const from = node("span", {}, `de ${call.sender}`);
    const end = (words) => node("button", { type: "button", className: "end", onclick: () => this.do("hang_up") }, words);
    if (rings) {
      const take = action("Contestar", () => this.do("pick_up"), call.drill, { className: "take" });
      this.callbox.replaceChildren(title, from, node("div", { className: "choice" }, take, end("Rechazar")),
        node("small", {}, "Si no hace nada, sigue sonando y luego queda sin contestar."));
      return;
    }
    this.transcript = node("div", { className: "transcript", tabIndex: 0, "aria-live": "polite", "aria-label": "Lo que dice la llamada" });
    this.typed = node("output", { className: "typed" });
    const keys = KEYS.map((key) => node("button", { type: "button", "aria-label": `Tecla ${key}`, onclick: () => this.press(key) }, key));
    this.callbox.replaceChildren(title, this.transcript, node("div", { className: "keys" }, ...keys), node("div", { className: "choice" }, this.typed, end("Colgar")));
  }

  async press(key) {
    this.typed.textContent += key;
    await this.do("press", { keys: key });
  }

  async do(deed, more = {}) {
    this.note(await tell("/_control/call", { call: this.phone.call?.sid ?? "", do: deed, ...more }));
  }

  async toggle() {
    this.note(await tell("/_control/switch", { phone: this.phone.number, on: !this.phone.on }));
  }

  async say(words) {
    if (!this.phone.sender) return this.note("Nadie le ha escrito todavía a este teléfono.");
    return this.note(await tell("/_control/say", { phone: this.phone.number, to: this.phone.sender, words }));
  }

  async write(event) {
    event.preventDefault();
    const words = this.words.value.trim();
    if (!words) return;
    const trouble = await this.say(words);
    if (trouble) return; // The draft stays where it is.
    this.words.value = "";
    sessionStorage.removeItem(`draft ${this.phone.number}`);
  }

  note(trouble) {
    this.said.textContent = trouble ?? "";
    return trouble;
  }
}
