// The technicians' charts. Every figure stands in the table below them as well.
"use strict";
(() => {
  const charts = document.getElementById("charts");
  if (!charts || !window.uPlot) return;
  const drawn = [];

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  const draw = (figure, figures) => {
    const unit = figure.dataset.unit;
    const name = figure.querySelector("b").textContent;
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    const box = document.createElement("div");
    figure.append(box);
    const top = figure.dataset.top ? Number(figure.dataset.top) : null;
    const plot = new uPlot(
      {
        width: Math.max(240, figure.clientWidth),
        height: 190,
        cursor: { drag: { x: false, y: false } },
        scales: { x: { time: true }, y: { range: (_, least, most) => (top ? [0, top] : least === null ? [0, 1] : [Math.min(0, least), Math.max(1, most) * 1.1]) } },
        axes: [axis, { ...axis, size: 56 }],
        series: [
          { label: "When" },
          { label: name, stroke: colour("--accent"), fill: `color-mix(in srgb, ${colour("--accent")} 14%, transparent)`, width: 2, spanGaps: false, value: (_, value) => (value === null ? "–" : `${value} ${unit}`) },
        ],
      },
      [figures.at, figures[figure.dataset.column]],
      box,
    );
    box.querySelector("canvas").setAttribute("aria-hidden", "true");
    drawn.push({ figure, plot, box });
  };

  const drawAll = (figures) => {
    drawn.splice(0).forEach((one) => { one.plot.destroy(); one.box.remove(); });
    charts.querySelectorAll("figure").forEach((figure) => {
      figure.hidden = figures[figure.dataset.column].every((value) => value === null); // nobody measured it
      if (!figure.hidden) draw(figure, figures);
    });
  };

  fetch(charts.dataset.figures, { credentials: "same-origin" })
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(String(answer.status)))))
    .then((figures) => {
      drawAll(figures);
      matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAll(figures));
      new ResizeObserver(() => drawn.forEach((one) => one.plot.setSize({ width: Math.max(240, one.figure.clientWidth), height: 190 }))).observe(charts);
      charts.dataset.drawn = "yes";
    })
    .catch(() => { charts.hidden = true; });
})();
