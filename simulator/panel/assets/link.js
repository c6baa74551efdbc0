// The line to the panel's server: events in, orders out, one order after the other.
const listeners = {};
let last = Promise.resolve();

export const $ = (id) => document.getElementById(id);

export function on(topic, listener) {
  (listeners[topic] ||= []).push(listener);
}

function hear(topic, value) {
  for (const listener of listeners[topic] || []) listener(value);
}

export function say(text, bad = true) {
  const banner = $("banner");
  banner.textContent = text;
  banner.hidden = !text;
  banner.classList.toggle("bad", bad);
}

// Orders go out in the order of the fingers: a press must not overtake its release. No finger is faster than LEAST_MS;
// a tap on glass, or a screen reader's click, is, and a camera's debounce would not feel it.
const LEAST_MS = 130;
const moved = {};

export function order(what) {
  const sent = last.then(async () => {
    if (what.order === "line") {
      const wait = (moved[what.line] ?? 0) + LEAST_MS - performance.now();
      if (wait > 0) await new Promise((done) => setTimeout(done, wait));
      moved[what.line] = performance.now();
    }
    const answer = await fetch("/order", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Firsthand-Panel": "1" },
      body: JSON.stringify(what),
    });
    if (!answer.ok) say((await answer.json()).error || "The world did not do that.");
    else if ($("banner").classList.contains("bad")) say("", false);
    return answer.ok;
  });
  last = sent.catch(() => false);
  return last;
}

export function listen() {
  const stream = new EventSource("/events");
  const topics = ["run", "camera", "world", "lamps", "files", "stored", "opened", "scenario", "faults", "told", "reset"];
  for (const topic of topics) stream.addEventListener(topic, (event) => hear(topic, JSON.parse(event.data)));
  stream.onerror = () => hear("lost", null);
  stream.onopen = () => hear("found", null);
}

export function make(tag, attributes = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") made.className = value;
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...inside.filter((one) => one !== null && one !== ""));
  return made;
}

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${(bytes / 1e3).toFixed(bytes < 1e4 ? 1 : 0)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
