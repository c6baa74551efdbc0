// What is wrong with a page for somebody who cannot see well, has no mouse, or trusts no inline code.
() => {
  const found = [];
  const say = (what, one) =>
    found.push(`${what}: <${one.tagName.toLowerCase()} class="${one.className}"> ${(one.textContent || "").trim().slice(0, 40)}`);
  const shown = (one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest(".hidden");
  for (const one of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (!(one.labels && [...one.labels].some((label) => label.textContent.trim()))) say("no label", one);
  for (const one of document.querySelectorAll("button, a[href]"))
    if (!one.textContent.trim()) say("no name", one);
  for (const one of document.querySelectorAll("progress"))
    if (!document.getElementById(one.getAttribute("aria-labelledby"))) say("no name", one);
  for (const one of document.querySelectorAll("svg.icon"))
    if (one.getAttribute("aria-hidden") !== "true") say("icon is read out", one);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) found.push(`id twice: ${id}`);
  for (const one of document.querySelectorAll("[aria-labelledby], [aria-describedby]"))
    for (const id of (one.getAttribute("aria-labelledby") || one.getAttribute("aria-describedby")).split(" "))
      if (!document.getElementById(id)) say(`names nothing (${id})`, one);
  if (document.querySelectorAll("h1").length !== 1) found.push("not one h1");
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  if (document.documentElement.lang !== "en") found.push("no language");
  let level = 0;
  for (const one of document.querySelectorAll("h1, h2, h3, h4")) {
    const now = Number(one.tagName[1]);
    if (now > level + 1) say("heading leaves a level out", one);
    level = now;
  }
  for (const one of document.querySelectorAll("table"))
    if (![...one.querySelectorAll("thead th")].every((head) => head.scope === "col")) say("head without scope", one);
  for (const one of document.querySelectorAll("[style], [onclick], script:not([src]), style"))
    if (!one.closest(".uplot")) say("inline", one); // uPlot sets its sizes through the style object

  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (text) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, low) => [0, 1, 2].map((i) => top[i] * top[3] + low[i] * (1 - top[3])).concat(1);
  const ground = (one) => {
    const layers = [];
    for (let at = one; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((low, top) => over(top, low), [255, 255, 255, 1]);
  };
  const light = (colour) => colour.slice(0, 3)
    .map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, i) => sum + value * [0.2126, 0.7152, 0.0722][i], 0);
  for (const one of document.querySelectorAll("body *")) {
    const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!text || !shown(one) || one.closest("option, .skip, canvas")) continue;
    const style = getComputedStyle(one);
    const below = ground(one);
    const [a, b] = [light(over(rgba(style.color), below)), light(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) say(`contrast ${ratio.toFixed(2)}`, one);
  }
  return found;
}
