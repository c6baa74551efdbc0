// Fingers: buttons that are held by mouse, touch or key, lines that are switched, the camera that is dragged.
import { $, on, order } from "./link.js";

const HELD = { r: "record_button", e: "emergency", f: "function" };
const SWITCHED = { l: "lightbar", s: "siren", p: "pursuit", o: "door", g: "gun_rack", i: "ignition" };
const DONE = { w: "weapon drawn", c: "crash" };
const down = new Set();
let lines = {};
let docked = false;

function press(line) {
  if (down.has(line)) return;
  down.add(line);
  show(line);
  order({ order: "line", line, active: true });
}

function release(line) {
  if (!down.delete(line)) return;
  show(line);
  order({ order: "line", line, active: false });
}

function show(line) {
  for (const one of document.querySelectorAll(`[data-hold="${line}"]`)) one.classList.toggle("down", down.has(line));
}

function toggle(line) {
  order({ order: "line", line, active: !lines[line] });
}

export function dock() {
  order({ order: "do", words: docked ? "undock" : "dock" });
}

function typing(target) {
  return target instanceof Element && target.matches("select, textarea, input:not([type=range])");
}

export function hands() {
  for (const one of document.querySelectorAll("[data-hold]")) {
    const line = one.dataset.hold;
    one.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      event.stopPropagation(); // a finger on a button does not drag the camera
      one.setPointerCapture(event.pointerId);
      press(line);
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) one.addEventListener(end, () => release(line));
    one.addEventListener("contextmenu", (event) => event.preventDefault());
    one.addEventListener("keydown", (event) => {
      if (event.key !== " " && event.key !== "Enter") return;
      event.preventDefault();
      press(line);
    });
    one.addEventListener("keyup", (event) => {
      if (event.key === " " || event.key === "Enter") release(line);
    });
    one.addEventListener("blur", () => release(line));
  }
  for (const one of document.querySelectorAll("[data-line]")) one.addEventListener("click", () => toggle(one.dataset.line));
  for (const one of document.querySelectorAll("[data-do]"))
    one.addEventListener("click", () => order({ order: "do", words: one.dataset.do }));
  $("dock").addEventListener("click", dock);

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing(event.target)) return;
    const key = event.key.toLowerCase();
    if (HELD[key]) press(HELD[key]);
    else if (SWITCHED[key]) toggle(SWITCHED[key]);
    else if (DONE[key]) order({ order: "do", words: DONE[key] });
    else if (key === "d") dock();
    else return;
    event.preventDefault();
  });
  document.addEventListener("keyup", (event) => {
    const line = HELD[event.key.toLowerCase()];
    if (line) release(line);
  });
  window.addEventListener("blur", () => [...down].forEach(release));
  document.addEventListener("visibilitychange", () => document.hidden && [...down].forEach(release));

  on("world", (world) => {
    lines = world.lines;
    for (const one of document.querySelectorAll("[data-line]"))
      one.setAttribute("aria-pressed", lines[one.dataset.line] ? "true" : "false");
  });
  on("camera", (camera) => {
    docked = camera.docked;
    const place = $("camera");
    if (!place.classList.contains("dragged")) place.classList.toggle("docked", docked);
    $("dock").setAttribute("aria-pressed", docked ? "true" : "false");
    $("dock-word").textContent = docked ? "Take out of the dock" : "Put into the dock";
  });
  drag($("camera"), $("desk"));
}

// The camera follows the pointer; let go over the dock it stays there, anywhere else it goes back.
function drag(camera, desk) {
  let from = null;
  const at = (event) => {
    const scale = desk.viewBox.baseVal.width / desk.getBoundingClientRect().width;
    return [event.clientX * scale, event.clientY * scale];
  };
  camera.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    camera.setPointerCapture(event.pointerId);
    from = at(event);
    camera.classList.add("dragged");
  });
  camera.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = at(event);
    const start = docked ? 240 : 0;
    const move = Math.max(-20, Math.min(250, start + x - from[0]));
    camera.style.transform = `translate(${move}px, ${Math.max(-20, Math.min(40, y - from[1] + (docked ? 14 : 0)))}px)`;
    $("bay").classList.toggle("open", move > 120);
  });
  const end = (event) => {
    if (!from) return;
    const moved = at(event)[0] - from[0];
    from = null;
    camera.classList.remove("dragged");
    camera.style.transform = "";
    camera.classList.toggle("docked", docked);
    $("bay").classList.remove("open");
    if ((!docked && moved > 110) || (docked && moved < -90)) dock();
  };
  camera.addEventListener("pointerup", end);
  camera.addEventListener("pointercancel", end);
}
