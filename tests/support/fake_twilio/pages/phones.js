// The page: streams the ledger, draws the phones, and says when it knows nothing new.

import { Town } from "./model.js";
import { PhoneView, node } from "./phone.js";

const STALE_S = 10;
const LIVE_MS = 2 * 3600 * 1000;
const BUZZ_MS = 1600;
const GROUPS = [
  ["coordinator", "Coordinación"], ["authoriser", "Coordinación"], ["technician", "Coordinación"],
  ["brigade", "Brigadas"], ["other", "Otros teléfonos"],
];
const at = (id) => document.getElementById(id);

const state = { town: null, views: new Map(), tiles: new Map(), told: null, toldAt: 0, heardAt: performance.now(), zone: undefined, open: null, dirty: new Set() };

const townNow = () => state.told ? new Date(Date.parse(state.told.now) + (Math.min(performance.now(), state.heardAt + STALE_S * 1000) - state.toldAt) * state.told.rate) : null;
const format = (options) => new Intl.DateTimeFormat("es", { timeZone: state.zone, hourCycle: "h23", ...options });
const hour = (when) => format({ hour: "2-digit", minute: "2-digit" }).format(new Date(when));

// --- phones -----------------------------------------------------------------------------------------

function section(title, kind) {
  const id = `group ${title}`;
  let found = document.getElementById(id);
  if (!found) {
    found = node("div", { className: kind, id });
    const heading = node("h2", {}, title);
    at("phones").append(node("section", {}, heading, found));
  }
  return found;
}

function add(phone) {
  if (phone.role === "resident") return addTile(phone);
  const title = (GROUPS.find(([role]) => role === phone.role) ?? GROUPS.at(-1))[1];
  const view = new PhoneView(phone, hour);
  state.views.set(phone.number, view);
  section(title, "deck").append(view.element);
}

function addTile(phone) {
  const last = node("span", { className: "last" }, "Sin mensajes");
  const tag = node("span", { className: "tag" });
  const tile = node("button", { type: "button", className: "tile", onclick: () => open(phone) }, node("b", {}, phone.name), tag, last);
  tile.dataset.number = phone.number;
  state.tiles.set(phone.number, { phone, tile, last, tag, drawn: -1 });
  section(`Vecinos · ${phone.zone}`, "tiles").append(tile);
}

function drawTile(row) {
  const { phone, tile, last, tag } = row;
  if (row.drawn === phone.version) return;
  row.drawn = phone.version;
  const text = phone.bubbles.findLast((bubble) => bubble.side === "in" || bubble.side === "voice");
  last.textContent = text ? text.text : "Sin mensajes";
  const rings = phone.on && phone.call?.status === "ringing";
  const talks = phone.call?.status === "in-progress";
  tag.textContent = !phone.on ? "apagado" : rings ? "SUENA" : talks ? "en llamada" : text ? hour(text.at) : "";
  tile.classList.toggle("rings", Boolean(rings));
  tile.classList.toggle("off", !phone.on);
  tile.classList.toggle("told", Boolean(text));
  tile.classList.toggle("drill", Boolean(text?.drill));
}

function open(phone) {
  const hand = at("hand");
  const close = () => { hand.hidden = true; const back = state.tiles.get(state.open?.number)?.tile; state.open = null; back?.focus({ preventScroll: true }); };
  const view = new PhoneView(phone, hour);
  state.open = phone;
  state.openView = view;
  hand.replaceChildren(node("button", { type: "button", className: "close", onclick: close }, "Cerrar"), view.element);
  hand.onkeydown = (event) => { if (event.key === "Escape") close(); };
  hand.hidden = false;
  view.screen.scrollTop = view.screen.scrollHeight;
  view.element.focus({ preventScroll: true });
}

function draw() {
  for (const phone of state.town.phones.values()) if (!state.views.has(phone.number) && !state.tiles.has(phone.number)) add(phone);
  for (const phone of state.dirty) {
    state.views.get(phone.number)?.draw();
    const row = state.tiles.get(phone.number);
    if (row) drawTile(row);
    if (state.open === phone) state.openView.draw();
  }
  state.dirty.clear();
  drawNow();
  state.asked = false;
}

function ask() {
  if (!state.asked) { state.asked = true; requestAnimationFrame(draw); }
}

function drawNow() {
  const ringing = [...state.town.phones.values()].filter((phone) => phone.on && phone.call?.status === "ringing");
  const shown = ringing.map((phone) => phone.number).join();
  if (shown === state.ringing) return;
  state.ringing = shown;
  at("now-words").textContent = ringing.length ? `Suena${ringing.length > 1 ? "n" : ""} ${ringing.length}:` : "Ningún teléfono suena.";
  at("now-list").replaceChildren(...ringing.slice(0, 6).map((phone) => node("button", { type: "button", onclick: () => go(phone) }, phone.name)));
  at("now").classList.toggle("ringing", ringing.length > 0);
  document.title = ringing.length ? `(${ringing.length}) suena · Teléfonos` : "Teléfonos del pueblo";
  bell(ringing.length > 0);
}

function go(phone) {
  if (phone.role === "resident") return open(phone);
  const { element } = state.views.get(phone.number);
  element.scrollIntoView({ block: "center" });
  element.querySelector(".call button")?.focus({ preventScroll: true });
}

function buzz(phone, kind) {
  const shaken = state.views.get(phone.number)?.element ?? state.tiles.get(phone.number)?.tile;
  if (!shaken || kind !== "text" || !phone.on) return;
  shaken.classList.add("buzz");
  setTimeout(() => shaken.classList.remove("buzz"), BUZZ_MS);
  if (phone.role !== "resident") tone(1180, 0.09);
}

// --- sound: a ring is long and double, a text short and high ------------------------------------------

let audio = null;
let bellTimer = 0;

function tone(pitch, seconds, delay = 0) {
  if (!audio) return;
  const [wave, loud] = [audio.createOscillator(), audio.createGain()];
  wave.frequency.value = pitch;
  loud.gain.value = 0.06;
  wave.connect(loud).connect(audio.destination);
  wave.start(audio.currentTime + delay);
  wave.stop(audio.currentTime + delay + seconds);
}

function bell(rings) {
  clearInterval(bellTimer);
  const once = () => { tone(440, 0.35); tone(480, 0.35, 0.45); };
  if (rings) { once(); bellTimer = setInterval(once, 2500); }
}

function speak(text) {
  if (at("voice").ariaPressed !== "true" || !("speechSynthesis" in window)) return;
  const words = new SpeechSynthesisUtterance(text);
  words.lang = "es-MX";
  speechSynthesis.speak(words);
}

at("sound").onclick = () => {
  const on = at("sound").ariaPressed !== "true";
  at("sound").ariaPressed = String(on);
  at("sound").textContent = `Timbre: ${on ? "sí" : "no"}`;
  audio = on ? new AudioContext() : (audio?.close(), null);
};
at("voice").onclick = () => {
  const on = at("voice").ariaPressed !== "true";
  at("voice").ariaPressed = String(on);
  at("voice").textContent = `Voz: ${on ? "sí" : "no"}`;
  if (!on) window.speechSynthesis?.cancel();
};

// --- the town -----------------------------------------------------------------------------------------

function ago(when) {
  const minutes = Math.max(0, Math.round((townNow() - Date.parse(when)) / 60000));
  return minutes < 60 ? `hace ${minutes} min` : `hace ${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

const metres = (value) => value.toLocaleString("es", { minimumFractionDigits: 2, maximumFractionDigits: 2, useGrouping: false });

function drawTown() {
  const { told } = state;
  const now = townNow();
  if (!told || !now) return;
  at("town-name").textContent = told.name ?? "Municipio";
  at("clock").textContent = format({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(now).replaceAll(",", "");
  at("rate").textContent = told.rate === 1 ? "a tiempo real" : told.rate === 0 ? "detenido" : `corre ×${told.rate.toLocaleString("es")}`;
  drawRiver(told);
  drawLevel(told);
}

function drawRiver(told) {
  const gauges = told.gauges.filter((gauge) => gauge.value !== null).sort((a, b) => (b.level ?? -1) - (a.level ?? -1));
  const [first] = gauges;
  if (!first) return;
  at("river-label").textContent = `${first.river} · ${first.name}`;
  const trend = first.per_hour === null ? "" : first.per_hour > 0 ? ` ↑ ${metres(first.per_hour)} m/h` : first.per_hour < 0 ? ` ↓ ${metres(-first.per_hour)} m/h` : " = sin cambio";
  at("river").textContent = `${metres(first.value)} ${first.unit}${trend}`;
  at("river-note").textContent = `${first.silent ? "sin reportar, última " : ""}${ago(first.observed_at)} · ${gauges.length} de ${told.gauges_known} con dato`;
}

function drawLevel(told) {
  const [incident, ...others] = [...told.incidents].sort((a, b) => b.level - a.level || a.incident_id.localeCompare(b.incident_id));
  const unknown = told.age_s === null;
  const level = unknown ? "?" : String(incident?.level ?? 0);
  at("shape").dataset.level = level;
  at("shape").firstElementChild.textContent = level;
  at("level").textContent = unknown ? "desconocido" : incident ? `Nivel ${level} · ${incident.label}` : "Nivel 0 · ninguno abierto";
  const place = incident ? incident.zones.join(", ") || incident.site || "" : "";
  const late = told.age_s > STALE_S ? `visto hace ${Math.round(told.age_s)} s` : "";
  at("level-note").textContent = unknown ? "triage aún no contesta" : [place, incident && ago(incident.at), others.length && `y ${others.length} más`, late].filter(Boolean).join(" · ");
}

// What is live always wins: a drill has no buttons while anything live was said in the last hours.
function drawLook() {
  const since = townNow() - LIVE_MS;
  const texts = [...state.town.phones.values()].flatMap((phone) => phone.bubbles.filter((bubble) => bubble.side === "in"));
  const drills = texts.some((text) => text.drill && Date.parse(text.at) > since);
  const live = texts.some((text) => !text.drill && Date.parse(text.at) > since);
  const look = !drills ? "live" : live ? "both" : "drill";
  if (document.body.dataset.look === look) return;
  document.body.dataset.look = look;
  at("band-words").textContent = {
    live: "EN VIVO · operadora simulada: ningún teléfono real suena.",
    drill: "SIMULACRO (ENSAYO) · aquí los botones se mantienen pulsados.",
    both: "EN VIVO · el simulacro está detenido: sus botones no se muestran.",
  }[look];
}

// --- the stream ---------------------------------------------------------------------------------------

function heard() {
  state.heardAt = performance.now();
}

function drawStale() {
  const silent = (performance.now() - state.heardAt) / 1000;
  at("stale").hidden = silent < STALE_S;
  document.body.classList.toggle("is-stale", silent >= STALE_S);
  if (silent >= STALE_S) at("stale").textContent = `Sin señal desde hace ${Math.round(silent)} s. Lo que se ve puede haber cambiado; se vuelve a intentar solo.`;
}

function entries(event) {
  heard();
  const fresh = performance.now() - state.openedAt > 1500; // What happened before the page was opened makes no noise.
  for (const entry of JSON.parse(event.data)) {
    const seen = state.town.take(entry);
    if (!seen) continue;
    state.dirty.add(seen.phone);
    if (fresh) buzz(seen.phone, seen.kind);
    if (fresh && seen.kind === "said") speak(seen.text);
    if (seen.kind === "end") window.speechSynthesis?.cancel();
  }
  ask();
}

function reset() {
  heard();
  state.town.clear();
  state.views.clear();
  state.tiles.clear();
  at("phones").replaceChildren();
  ask();
}

function town(event) {
  heard();
  state.told = JSON.parse(event.data);
  state.toldAt = performance.now();
  if (state.told.time_zone && state.told.time_zone !== state.zone) { state.zone = state.told.time_zone; }
}

async function names() {
  try {
    const { people } = await (await fetch("/_people")).json();
    return people;
  } catch {
    return {};
  }
}

state.zone = await fetch("/_town").then((answer) => answer.json()).then((told) => told.time_zone ?? undefined).catch(() => undefined);
state.town = new Town(await names());
draw();
state.openedAt = performance.now();
const stream = new EventSource("/_events");
stream.addEventListener("entries", entries);
stream.addEventListener("reset", reset);
stream.addEventListener("town", town);
setInterval(() => { drawTown(); drawLook(); drawStale(); }, 250);
