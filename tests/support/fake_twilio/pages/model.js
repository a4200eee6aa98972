// What each phone holds, built from the ledger's entries and from nothing else. No page in here.

const DRILL = /^SIMULACRO\b/;
const ENDED = {
  completed: "Llamada terminada",
  "no-answer": "Llamada sin contestar",
  busy: "Llamada rechazada",
  failed: "Llamada cortada",
  canceled: "Llamada retirada antes de contestar",
};
const MOST_BUBBLES = 40;

export class Town {
  constructor(people) {
    this.people = people;
    this.clear();
  }

  clear() {
    this.phones = new Map();
    this.byMessage = new Map();
    this.byAnswer = new Map();
    for (const number of Object.keys(this.people)) this.phone(number);
  }

  phone(number) {
    let phone = this.phones.get(number);
    if (!phone) {
      const known = this.people[number] ?? { name: `Teléfono ${number.slice(-4)}`, role: "other", zone: "" };
      phone = { number, ...known, on: true, bubbles: [], call: null, sender: null, texts: 0, version: 0 };
      this.phones.set(number, phone);
    }
    return phone;
  }

  // Take one entry; return what a person would notice: {phone, kind} with kind text, ring, said, end or change.
  take(entry) {
    const step = this[`on_${entry.kind}`];
    return step ? step.call(this, entry) : null;
  }

  on_message(entry) {
    this.byMessage.set(entry.sid, entry);
    return null; // It is not on the phone yet: only `delivered` is.
  }

  on_status(entry) {
    return entry.channel === "voice" ? this.call_status(entry) : this.text_status(entry);
  }

  text_status(entry) {
    const message = this.byMessage.get(entry.sid);
    if (!message || !["delivered", "undelivered", "failed"].includes(entry.status)) return null;
    const phone = this.phone(message.phone);
    const came = entry.status === "delivered";
    if (!came) {
      const why = entry.code === 30003 ? "teléfono apagado" : `código ${entry.code}`;
      return this.push(phone, { side: "note", text: `Un mensaje no llegó: ${why}.`, entry }, "change");
    }
    phone.sender = message.sender;
    phone.texts += 1;
    return this.push(phone, { side: "in", text: message.text, entry, drill: DRILL.test(message.text), answered: null }, "text");
  }

  on_call(entry) {
    const phone = this.phone(entry.phone);
    phone.call = { sid: entry.sid, status: "queued", said: [], keys: "", sender: entry.sender, drill: this.drill_of(phone) };
    return null;
  }

  call_status(entry) {
    const phone = this.phone(entry.phone);
    const call = phone.call;
    if (!call || call.sid !== entry.sid) return null;
    call.status = entry.status;
    if (!(entry.status in ENDED)) return this.changed(phone, entry.status === "ringing" ? "ring" : "change");
    phone.call = null;
    return this.push(phone, { side: "note", text: `${ENDED[entry.status]}.`, entry }, "end");
  }

  on_said(entry) {
    const phone = this.phone(entry.phone);
    if (!phone.call || phone.call.sid !== entry.sid) return null;
    phone.call.said.push(entry.text);
    phone.call.drill = phone.call.drill || DRILL.test(entry.text);
    return { ...this.changed(phone, "said"), text: entry.text };
  }

  on_heard(entry) {
    if (!entry.text) return null;
    const drill = DRILL.test(entry.text);
    return this.push(this.phone(entry.phone), { side: "voice", text: once(entry.text), entry, drill }, "change");
  }

  on_answer(entry) {
    const phone = this.phone(entry.phone);
    const voice = entry.channel === "voice";
    const bubble = { side: "out", text: voice ? `Marcó ${entry.words}` : entry.words, entry, state: "enviando…" };
    this.byAnswer.set(entry.answer, { phone, bubble });
    if (!voice) for (const before of phone.bubbles) mark(before, entry.words);
    return this.push(phone, bubble, "change");
  }

  on_answer_taken(entry) {
    const sent = this.byAnswer.get(entry.answer);
    if (!sent) return null;
    sent.bubble.state = entry.taken ? "recibido por la alcaldía" : "no se recibió";
    return this.changed(sent.phone, "change");
  }

  on_switched(entry) {
    const phone = this.phone(entry.phone);
    phone.on = entry.on;
    return this.changed(phone, "change");
  }

  drill_of(phone) {
    const texts = phone.bubbles.filter((bubble) => bubble.side === "in");
    return texts.length > 0 && texts[texts.length - 1].drill;
  }

  push(phone, bubble, kind) {
    Object.assign(bubble, { id: bubble.entry.seq, at: bubble.entry.town_at ?? bubble.entry.at });
    phone.bubbles.push(bubble);
    if (phone.bubbles.length > MOST_BUBBLES) phone.bubbles.shift();
    return this.changed(phone, kind);
  }

  changed(phone, kind) {
    phone.version += 1;
    return { phone, kind };
  }
}

// A call says its words twice: one reading of them is enough.
function once(text) {
  const half = text.length >> 1;
  const [first, second] = [text.slice(0, half).trim(), text.slice(half).trim()];
  return first === second ? first : text;
}

const ANSWER = /\b(SI|NO PUEDO|NO|OK|PASO|VOY|LLEGUE|LISTO|SALIMOS) (\d{4})\b( y cu[aá]ntos)?/g;
const CREW = 6; // What the button says where a text asks how many; another number is written by hand.

// The answers that a text names, yes and no as far apart as can be; nothing is offered that it does not name.
export function offers(text) {
  const found = [...text.matchAll(ANSWER)].map(([, word, code, many]) => ({ words: `${word} ${code}${many ? ` ${CREW}` : ""}`, word, code }));
  const verify = text.match(/ ([A-Z0-9]{4})\.?( FIN DE SIMULACRO)?$/)?.[1];
  if (!found.length && verify) return [{ words: `VERIFICAR ${verify}`, word: "VERIFICAR", code: verify }];
  const place = (offer) => ["PASO", "NO", "NO PUEDO"].indexOf(offer.word);
  return found.sort((a, b) => place(a) - place(b));
}

function mark(bubble, words) {
  if (bubble.side !== "in" || bubble.answered) return;
  const said = words.toUpperCase().split(/\W+/);
  if (offers(bubble.text).some((offer) => said.includes(offer.code))) bubble.answered = words;
}
