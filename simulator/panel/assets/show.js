// What the camera shows and says: lamps, vibration, tone, state, and the guided first minute.
import { $, on, order, make, clock } from "./link.js";

let facts = { states: {} };
let audio = null;
let tone = null;
let state = null;
const done = new Set();
let since = null; // when this page saw the recording begin

export function facts_are(known) {
  facts = known;
}

function lamps(levels) {
  for (const name of ["green", "red", "amber"]) {
    const lamp = $(`lamp-${name}`);
    lamp.classList.toggle("on", levels[name] > 0);
    lamp.classList.toggle("dim", levels[name] > 0 && levels[name] < 1);
  }
  $("shaking").classList.toggle("shakes", levels.haptic > 0);
  $("buzz").classList.toggle("on", levels.haptic > 0);
  $("waves").classList.toggle("on", levels.tone > 0);
  if (tone) tone.gain.setTargetAtTime(levels.tone > 0 ? 0.06 : 0, audio.currentTime, 0.005);
}

function sound() {
  const on_ = !tone;
  if (on_) {
    audio ||= new AudioContext();
    audio.resume();
    const oscillator = new OscillatorNode(audio, { type: "square", frequency: 2700 });
    tone = new GainNode(audio, { gain: 0 });
    oscillator.connect(tone).connect(audio.destination);
    oscillator.start();
    tone.oscillator = oscillator;
  } else {
    tone.oscillator.stop();
    tone = null;
  }
  $("sound").textContent = on_ ? "Sound on" : "Sound off";
  $("sound").setAttribute("aria-pressed", on_ ? "true" : "false");
}

function machine(now) {
  for (const one of document.querySelectorAll("#machine .state")) one.classList.toggle("now", one.dataset.state === now);
  if (state && state !== now)
    for (const one of document.querySelectorAll("#machine .way")) one.classList.toggle("taken", one.dataset.way === `${state}-${now}`);
  state = now;
  const known = facts.states[now];
  if (!known) return;
  $("state-means").textContent = known.means;
  $("ways").replaceChildren(
    ...known.ways.map((way) =>
      make("li", {}, make("b", {}, way.when), make("span", {}, [way.then && `→ ${way.then}`, way.does].filter(Boolean).join(": ") || "nothing changes")),
    ),
  );
}

function pill(name, kind) {
  const one = $("state-pill");
  one.textContent = name;
  one.className = `pill ${kind}`;
}

const KIND = { recording: "rec", confirming_stop: "rec", stating_reason: "rec", post_event: "rec", ready: "ready", docked: "docked", out_of_service: "bad" };

function told(now) {
  pill(now.state.replaceAll("_", " "), KIND[now.state] || "busy");
  machine(now.state);
  if (now.recording !== since?.name) since = now.recording ? { name: now.recording, at: performance.now() } : null;
  count();
  document.body.classList.toggle("recording", Boolean(now.recording));
  $("rec-mark").hidden = !now.recording;
  $("rec-mark").textContent = now.recording ? `REC ${now.recording}` : "";
  const seconds = now.buffered_s ?? 0;
  $("ring").value = seconds;
  $("ring-word").textContent = now.recording ? "written" : now.buffered_s === undefined ? "off" : `${seconds} s`;
  const minutes = now.runtime_minutes;
  const hours = minutes ? `, about ${minutes >= 90 ? `${Math.round(minutes / 60)} h` : `${minutes} min`}` : "";
  $("battery-word").textContent = now.battery_percent === undefined ? "unknown" : `${now.battery_percent} %${now.charging ? ", charging" : hours}`;
  $("test-word").textContent = { pass: "passed", warn: "passed, with a warning", block: "FAILED: do not use" }[now.self_test] || "under way";
  const files = now.offloading?.files ?? 0;
  $("spool-word").textContent = files ? `${files} file${files === 1 ? "" : "s"}` : now.docked ? "nothing" : "until it is docked";
  $("bay-word").textContent = !now.docked ? "empty" : files ? `taking in ${files} file${files === 1 ? "" : "s"}` : "all taken in";
  $("bay").classList.toggle("full", now.docked);
  if (!["boot", "self_test", "out_of_service"].includes(now.state)) tick("ready");
  if (now.docked && done.has("stop")) tick("dock");
}

function count() {
  if (!since || state !== "recording") return;
  const seconds = Math.floor((performance.now() - since.at) / 1000);
  $("state-means").textContent = `${clock(seconds)}, and the ${$("ring").max} s before the press. Sealed and signed every second.`;
}

export function tick(step) {
  done.add(step);
  let next = true;
  for (const one of $("guide").children) {
    const is = done.has(one.dataset.step);
    one.classList.toggle("done", is);
    one.classList.toggle("next", !is && next);
    if (!is && next) one.setAttribute("aria-current", "step");
    else one.removeAttribute("aria-current");
    if (!is) next = false;
  }
}

function run(now) {
  const words = {
    starting: ["starting", "An agency is founded, its programs are started."],
    ending: ["ending", "Its programs are ended one after the other, as at a real switch-off."],
    failed: ["ended", `${now.why || ""} Press “Start anew”.`],
    ended: ["ended", "The panel was stopped."],
  }[now.state];
  if (words) {
    pill(words[0], now.state === "failed" ? "bad" : "busy");
    $("state-means").textContent = words[1];
  }
}

function scenario(now) {
  const plays = now?.state === "playing";
  $("leave").hidden = !plays;
  $("show-me").hidden = plays;
  document.body.classList.toggle("playing", plays);
  if (!plays) $("tell").textContent = now?.state === "done" ? "Done. Now open what was recorded: “Verify and play”, below." : "";
}

function sentences(many) {
  for (const one of many) {
    if (one.kind === "step" || (one.kind === "world" && document.body.classList.contains("playing"))) $("tell").textContent = one.text;
    if (!one.text) continue;
    $("told").append(make("li", { class: one.kind }, make("time", {}, `${one.at_s.toFixed(1)} s`), make("span", {}, one.text)));
  }
  while ($("told").children.length > 400) $("told").firstChild.remove();
  $("told").scrollTop = $("told").scrollHeight;
}

export function show() {
  setInterval(count, 1000);
  on("lamps", lamps);
  on("camera", told);
  on("world", (world) => {
    $("ring").max = world.pre_event_s || 1;
  });
  on("run", run);
  on("scenario", scenario);
  on("told", sentences);
  on("reset", () => {
    done.clear();
    tick("");
    $("told").replaceChildren();
    scenario(null);
  });
  $("sound").addEventListener("click", sound);
  $("show-me").addEventListener("click", () => order({ order: "play", scenario: "guided" }));
  $("leave").addEventListener("click", () => order({ order: "stop" }));
  $("anew").addEventListener("click", () => order({ order: "anew" }));
  $("play").addEventListener("click", () => order({ order: "play", scenario: $("scenario").value }));
}
