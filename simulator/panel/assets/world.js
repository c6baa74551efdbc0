// The live picture, the track on the drawn streets, the sliders, the faults.
import { $, on, order, make } from "./link.js";

const NETWORK = ["cut", "bad", "poor", "mobile", "perfect"];
const NETWORK_WORDS = { cut: "cut off", bad: "very bad", poor: "poor", mobile: "mobile", perfect: "perfect" };
const trail = [];
const MOST = 240;

function look() {
  const picture = $("picture");
  const next = new Image();
  const again = (ms) => setTimeout(look, ms);
  if (document.hidden) return again(500);
  next.onload = () => {
    picture.src = next.src;
    $("blind").hidden = true;
    again(160);
  };
  next.onerror = () => {
    $("blind").hidden = false;
    again(700);
  };
  next.src = `/picture.jpg?${Date.now()}`;
}

function place(gps) {
  const car = $("car");
  if (!gps.fix) {
    $("gps-word").textContent = "no fix: the receiver sees no satellites";
    car.classList.add("lost");
    if (trail.length && trail.at(-1)) trail.push(null);
    return;
  }
  car.classList.remove("lost");
  const box = $("map").viewBox.baseVal;
  const [x, y] = [gps.east_m, -gps.north_m];
  const inside = x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height;
  const kmh = gps.kmh === null ? "" : `${gps.kmh} km/h, `;
  const away = Math.hypot(x, y) / 1000;
  $("gps-word").textContent = `${kmh}${gps.satellites ?? "?"} satellites${inside ? "" : `: says it is ${away.toFixed(1)} km away, off this drawing`}`;
  const shown = [Math.max(box.x + 20, Math.min(box.x + box.width - 20, x)), Math.max(box.y + 20, Math.min(box.y + box.height - 20, y))];
  car.setAttribute("visibility", "visible");
  car.setAttribute("transform", `translate(${shown[0]} ${shown[1]})`);
  car.classList.toggle("away", !inside);
  const before = trail.at(-1);
  if (!before || before[0] !== x || before[1] !== y) {
    if (before && Math.hypot(before[0] - x, before[1] - y) > 300) trail.push(null);
    trail.push([x, y]);
    if (trail.length > MOST) trail.splice(0, trail.length - MOST);
    $("trail").setAttribute("d", line(trail));
  }
}

export function line(points) {
  let pen = "M";
  return points.map((one) => {
    if (!one) {
      pen = "M";
      return "";
    }
    const said = `${pen}${one[0]} ${one[1]}`;
    pen = "L";
    return said;
  }).join("");
}

function slider(id, words, send) {
  const one = $(id);
  let waits = null;
  one.addEventListener("input", () => {
    $(`${id}-out`).textContent = words(one.value);
    clearTimeout(waits);
    waits = setTimeout(() => {
      waits = null;
      order(send(one.value));
    }, 250);
  });
  return (value, text) => {
    if (waits || document.activeElement === one) return;
    if (value !== null) one.value = value;
    $(`${id}-out`).textContent = text;
  };
}

function faults(list) {
  const kinds = [...new Set(list.map((one) => one.kind))];
  $("faults").replaceChildren(
    ...kinds.map((kind) => {
      const of = list.filter((one) => one.kind === kind);
      return make("details", {}, make("summary", {}, `${kind === "gps" ? "GPS" : kind} `, make("span", { class: "count" }, String(of.length))), make("ul", {}, ...of.map(fault)));
    }),
    ...(list.length ? [] : [make("p", { class: "empty" }, "This world knows no faults.")]),
  );
}

function fault(one) {
  const button = make("button", { "data-fault": one.name, "aria-pressed": one.lasts ? "false" : null }, one.name.split(".").slice(1).join(".").replaceAll("_", " "));
  const given = one.amount;
  const number = given && make("input", { type: "number", id: `amount-${one.name}`, value: given.usual, min: given.least, max: given.most, step: "any" });
  button.addEventListener("click", () => {
    const on_ = !(one.lasts && button.getAttribute("aria-pressed") === "true");
    order({ order: "fault", name: one.name, on: on_, amount: on_ && number ? Number(number.value) : null });
  });
  const amount = given ? make("span", {}, number, " ", make("label", { for: `amount-${one.name}` }, given.unit || "amount")) : "";
  return make("li", {}, make("div", { class: "begin" }, button, amount),
    make("p", {}, make("b", {}, one.does[0].toUpperCase() + one.does.slice(1)), make("span", {}, `The camera must ${one.must} `), make("span", { class: "req" }, `(${one.requirement})`)));
}

export function world(facts) {
  faults(facts.faults);
  on("faults", (now) => {
    for (const one of document.querySelectorAll("[data-fault][aria-pressed]"))
      one.setAttribute("aria-pressed", now?.includes(one.dataset.fault) ? "true" : "false");
  });
  const battery = slider("battery", (value) => `${value} %`, (value) => ({ order: "do", words: `battery ${value}` }));
  const heat = slider("heat", (value) => `${value} °C`, (value) => ({ order: "do", words: `board ${value} degrees` }));
  slider("network", (value) => NETWORK_WORDS[NETWORK[value]], (value) => ({ order: "network", quality: NETWORK[value] }));
  slider("speed", (value) => `${value} km/h`, (value) => ({ order: "do", words: `drive at ${value}` }));
  on("world", (now) => {
    battery(now.battery, `${now.battery} %${now.charging === "charging" ? ", charging" : ""}`);
    heat(now.celsius, `${now.celsius} °C`);
    place(now.gps);
  });
  on("reset", () => {
    trail.length = 0;
    $("trail").setAttribute("d", "");
    $("network").value = 4;
    $("network-out").textContent = "perfect";
  });
  look();
}
