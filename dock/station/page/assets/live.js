// Keeps the board up to date. Without this script the page is right as of its loading.
"use strict";
(() => {
  const board = document.getElementById("board");
  const state = document.getElementById("live-state");
  const say = document.getElementById("live-say");
  if (!board || !window.EventSource) return;
  let leftOver = null;

  const parse = (html) => document.createRange().createContextualFragment(html).firstElementChild;

  const tell = (word, on) => {
    if (state.textContent !== word) state.textContent = word;
    state.classList.toggle("on", on);
    state.classList.toggle("off", !on);
    board.classList.toggle("stale", !on);
  };

  // A card keeps its place in the list and the focus that was in it.
  const put = (card) => {
    const old = document.getElementById(card.id);
    const list = document.getElementById(card.dataset.place);
    if (leftOver) leftOver.delete(card.id);
    const focused = old && old.contains(document.activeElement);
    if (old && old.dataset.kind !== card.dataset.kind) say.textContent = card.dataset.say;
    if (old && old.parentElement === list) {
      old.replaceWith(card);
    } else {
      if (old) old.remove();
      const next = [...list.children].find((one) => one.dataset.sort > card.dataset.sort);
      list.insertBefore(card, next || null);
    }
    const link = card.querySelector("a");
    if (focused && link) link.focus();
  };

  const remove = (id) => {
    const card = document.getElementById(id);
    if (card) card.remove();
  };

  const source = new EventSource(`${board.dataset.live}?seen=${encodeURIComponent(board.dataset.version)}`);
  source.addEventListener("open", () => tell("Live", true));
  source.addEventListener("error", () => tell("No connection to the station: this may be old. Trying again…", false));
  source.addEventListener("reset", () => {
    leftOver = new Set([...board.querySelectorAll(".bay")].map((card) => card.id));
  });
  source.addEventListener("card", (event) => put(parse(event.data)));
  source.addEventListener("gone", (event) => remove(event.data));
  source.addEventListener("summary", (event) => {
    if (leftOver) leftOver.forEach(remove);
    leftOver = null;
    document.getElementById("tally").replaceWith(parse(event.data));
  });
  source.addEventListener("ended", () => {
    source.close();
    location.reload();
  });
  window.addEventListener("pagehide", () => source.close());
})();
