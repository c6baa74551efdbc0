// The evidence files as they grow, one card each: statement by statement.
import { $, on, make, size } from "./link.js";
import { tick } from "./show.js";

const cards = new Map();
const PLACE = { camera: "on the camera", both: "on the camera and at the station", station: "at the station, deleted on the camera" };

function card(file) {
  const number = Number(file.name.match(/(\d+)\.evidence$/)?.[1] ?? 0);
  const items = make("ol", { tabindex: "0", "aria-label": `Parts of ${file.name}, newest last` });
  const made = make("article", { class: file.log ? "file log" : "file" },
    make("h3", {}, file.log ? `Device log, part ${number}` : `Recording ${number}`), make("p", { class: "name" }, file.name),
    make("p", { class: "chips" }), items);
  return { made, items, chips: made.querySelector(".chips"), count: 0 };
}

function update(file) {
  let one = cards.get(file.name);
  if (!one || file.count < one.count) {
    one?.made.remove();
    one = card(file);
    cards.set(file.name, one);
    const place = [...cards.keys()].sort(newest).indexOf(file.name);
    $("files").insertBefore(one.made, $("files").querySelectorAll("article")[place] ?? null);
  }
  const growing = !file.closed && !file.broken;
  one.made.classList.toggle("growing", growing);
  const chips = [
    [growing ? "open, growing" : "closed and signed", growing ? "grows" : "ok"],
    [PLACE[file.place], "place"],
    [size(file.bytes), "size"],
    [`${file.statements} signed, ${file.objects} sealed`, "size"],
  ];
  if (!file.log) tick("record");
  if (!file.log && file.closed) tick("stop");
  if (file.receipt) chips.splice(1, 0, ["receipt signed by the station", "ok"]);
  if (file.broken) chips.splice(0, 1, [`broken: ${file.broken}`, "bad"]);
  one.chips.replaceChildren(...chips.map(([text, kind]) => make("span", { class: `chip ${kind}` }, text)));
  const fresh = file.items.slice(Math.max(0, file.items.length - (file.count - one.count)));
  if (!fresh.length) return;
  const atEnd = one.items.scrollHeight - one.items.scrollTop - one.items.clientHeight < 40;
  for (const item of fresh) {
    if (!file.log && item.text.includes("marker")) tick("mark");
    const sealed = item.kind === "sealed";
    one.items.append(make("li", { class: sealed ? "sealed" : "signed" },
      make("span", { class: `tag ${sealed ? "sealed" : "signed"}` }, sealed ? "sealed" : "signed"), make("span", {}, item.text), make("small", {}, size(item.bytes))));
  }
  while (one.items.children.length > 120) one.items.firstChild.remove();
  one.count = file.count;
  if (atEnd) one.items.scrollTop = one.items.scrollHeight;
}

// Recordings before logs, the newest first.
function newest(a, b) {
  const log = a.includes("-log-") - b.includes("-log-");
  return log || (a < b ? 1 : -1);
}

export function files() {
  on("files", (many) => {
    $("no-files").hidden = many.length > 0;
    many.forEach(update);
  });
  on("reset", () => {
    for (const one of cards.values()) one.made.remove();
    cards.clear();
    $("no-files").hidden = false;
  });
}
