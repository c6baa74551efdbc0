// Recordings at the station: opened with the agency's tool, judged layer by layer, played with track and markers.
import { $, on, order, make, clock } from "./link.js";
import { line } from "./world.js";
import { tick } from "./show.js";

const cards = new Map();
const NS = "http://www.w3.org/2000/svg";

function draw(tag, attributes) {
  const made = document.createElementNS(NS, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function card(name) {
  const open = make("button", { class: "main" }, "Verify and play");
  const forge = make("button", {}, "Change one bit of a copy, and verify that");
  open.addEventListener("click", () => order({ order: "open", recording: name }));
  forge.addEventListener("click", () => order({ order: "forge", recording: name }));
  const word = make("p", { class: "step", role: "status" });
  const forged = make("p", { class: "forged", role: "status" });
  const inside = make("div", { class: "opened" });
  const made = make("article", { class: "stored" }, make("header", {}, make("h3", {}, `Recording ${Number(name.match(/(\d+)$/)?.[1] ?? 0)}`), make("p", { class: "name" }, name), make("div", { class: "keys" }, open, forge)), word, forged, inside);
  return { made, open, word, forged, inside, shown: "" };
}

function opened(name, found) {
  const one = cards.get(name);
  if (!one || !found) return;
  one.word.textContent = found.problem || found.step || "";
  one.word.hidden = !one.word.textContent;
  one.open.disabled = Boolean(found.step);
  if (found.forged) {
    const forged = found.forged;
    one.forged.textContent = forged.step || (forged.valid ? "The changed copy VERIFIES. That must not be: tell us." : `One bit was changed, and the copy is refused. The tool says: ${forged.findings.slice(0, 2).join("; ")}.`);
    one.forged.className = `forged ${forged.step ? "" : forged.valid ? "bad" : "good"}`;
  }
  if (found.step || !found.video || one.shown === found.video) return;
  one.shown = found.video;
  one.inside.replaceChildren(verdicts(found.layers), player(found, name));
  tick("open");
}

function verdicts(layers) {
  const all = layers.every((one) => one.holds);
  return make("div", { class: "verdicts" },
    make("p", { class: `verdict ${all ? "good" : "bad"}` }, all ? "Everything holds" : "Something does not hold"),
    make("ul", {}, ...layers.map((one) => make("li", { class: one.holds ? "good" : "bad" },
      make("b", {}, one.name), make("span", { class: "mark" }, one.holds ? "holds" : "DOES NOT HOLD"), make("p", {}, one.says), make("small", {}, `judged by: ${one.judge}`)))),
    make("p", { class: "small" }, "It is signed under a simulated root: a court's copy of the production root refuses it."));
}

function player(found, name) {
  const video = make("video", { src: found.video, controls: true, playsinline: true, muted: true, preload: "auto" });
  video.muted = true;
  const time = make("span", { class: "time" }, "0:00");
  const said = make("span", { class: "said" });
  const map = draw("svg", { class: "map", role: "img", "aria-label": "The track inside the video; the dot goes with the picture" });
  const points = found.track.map((one) => [one.east_m, -one.north_m]);
  const xs = points.map((one) => one[0]);
  const ys = points.map((one) => one[1]);
  const span = Math.max(160, Math.max(...xs) - Math.min(...xs), Math.max(...ys) - Math.min(...ys)) + 80;
  const middle = points.length ? [(Math.max(...xs) + Math.min(...xs)) / 2, (Math.max(...ys) + Math.min(...ys)) / 2] : [0, 0];
  map.setAttribute("viewBox", `${middle[0] - span * 0.75} ${middle[1] - span / 2} ${span * 1.5} ${span}`);
  for (const group of $("map").querySelectorAll(".ground, .streets, .houses")) map.append(group.cloneNode(true));
  map.append(draw("path", { class: "trail", d: line(points) }));
  const dot = draw("circle", { class: "dot", r: span / 34 });
  map.append(dot);

  const bar = make("ol", { class: "markers", "aria-label": "Markers: press one to go there" });
  const length = found.duration_s || 1;
  for (const marker of found.markers) {
    const button = make("button", {}, make("b", {}, clock(marker.at_s)), ` ${marker.title}`);
    button.addEventListener("click", () => {
      video.currentTime = Math.min(marker.at_s, Math.max(0, length - 0.2));
    });
    bar.append(make("li", { "data-at": marker.at_s }, button));
  }
  const step = () => {
    const now = video.currentTime;
    time.textContent = `${clock(now)} of ${clock(length)}`;
    let at = 0;
    found.track.forEach((one, index) => {
      if (one.at_s <= now) at = index;
    });
    if (points.length) {
      const [one, next] = [found.track[at], found.track[Math.min(at + 1, points.length - 1)]];
      const part = next.at_s > one.at_s ? Math.min(1, Math.max(0, (now - one.at_s) / (next.at_s - one.at_s))) : 0;
      dot.setAttribute("cx", points[at][0] + part * (points[Math.min(at + 1, points.length - 1)][0] - points[at][0]));
      dot.setAttribute("cy", points[at][1] + part * (points[Math.min(at + 1, points.length - 1)][1] - points[at][1]));
    }
    let latest = "";
    for (const one of bar.children) {
      const passed = Number(one.dataset.at) <= now + 0.05;
      one.classList.toggle("passed", passed);
      if (passed) latest = one.textContent;
    }
    said.textContent = latest;
    if (!video.paused && !video.ended) requestAnimationFrame(step);
  };
  for (const event of ["play", "seeked", "loadedmetadata", "timeupdate"]) video.addEventListener(event, step);
  return make("div", { class: "player" }, make("div", { class: "screen" }, video),
    make("div", { class: "beside" }, map, make("p", { class: "small" }, time, " ", said)), bar,
    make("p", { class: "links" }, make("a", { href: found.page, target: "_blank", rel: "noopener" }, "The report for the court"), " ", make("a", { href: found.video, download: `${name}.mp4` }, "The video (MP4)"), " ", make("a", { href: found.video.replace(/mp4$/, "gpx"), download: `${name}.gpx` }, "The track (GPX)")));
}

export function court() {
  on("stored", (names) => {
    $("none-stored").hidden = names.length > 0;
    for (const name of names)
      if (!cards.has(name)) {
        const one = card(name);
        cards.set(name, one);
        $("stored").prepend(one.made);
      }
  });
  on("opened", (many) => Object.entries(many || {}).forEach(([name, found]) => opened(name, found)));
  on("reset", () => {
    for (const one of cards.values()) one.made.remove();
    cards.clear();
    $("none-stored").hidden = false;
  });
}
