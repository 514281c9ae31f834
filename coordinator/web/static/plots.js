"use strict";
// Drawings: moments along an axis in the reader's zone, and a timeline that is zoomed by dragging over it.
(() => {
  const forms = {
    minutes: new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" }),
    seconds: new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }),
  };
  const localise = () => {
    for (const text of document.querySelectorAll(".plot text[data-time]:not([data-done])")) {
      const moment = new Date(text.dataset.time);
      text.textContent = forms["seconds" in text.dataset ? "seconds" : "minutes"].format(moment);
      text.dataset.done = "";
    }
  };
  localise();
  new MutationObserver(localise).observe(document.body, { childList: true, subtree: true });

  const NEAR = 6;
  let begun = null, moved = false;
  const place = (event, box) => {
    const svg = box.querySelector("svg");
    const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
    return Math.min(Math.max(point.x, Number(box.dataset.left)), Number(box.dataset.right));
  };
  const moment = (x, box) => {
    const { left, right, low, high } = box.dataset;
    const share = (x - Number(left)) / (Number(right) - Number(left));
    const start = Date.parse(low);
    return new Date(start + share * (Date.parse(high) - start)).toISOString().replace(/\.\d+Z$/, "Z");
  };
  document.addEventListener("pointerdown", (event) => {
    const box = event.target.closest?.("[data-zoom]");
    if (!box || event.button !== 0 || event.pointerType === "touch") return;
    begun = { box, x: place(event, box), band: document.createElementNS("http://www.w3.org/2000/svg", "rect") };
    begun.band.setAttribute("class", "band");
    moved = false;
  });
  document.addEventListener("pointermove", (event) => {
    if (!begun) return;
    const x = place(event, begun.box), svg = begun.box.querySelector("svg");
    moved = moved || Math.abs(x - begun.x) > NEAR;
    if (!moved) return;
    if (!begun.band.isConnected) svg.append(begun.band);
    const attributes = { x: Math.min(x, begun.x), y: 0, width: Math.abs(x - begun.x), height: svg.viewBox.baseVal.height };
    for (const [name, value] of Object.entries(attributes)) begun.band.setAttribute(name, value);
  });
  document.addEventListener("pointerup", (event) => {
    if (!begun) return;
    const { box, x, band } = begun, end = place(event, box);
    begun = null;
    band.remove();
    if (!moved) return;
    const [low, high] = [Math.min(x, end), Math.max(x, end)].map((one) => encodeURIComponent(moment(one, box)));
    location.assign(box.dataset.zoom.replace("FROM", low).replace("UNTIL", high));
  });
  // A drag over a job must neither drag its link nor follow it.
  document.addEventListener("dragstart", (event) => { if (event.target.closest?.("[data-zoom]")) event.preventDefault(); });
  document.addEventListener("click", (event) => {
    if (moved && event.target.closest?.("[data-zoom]")) event.preventDefault();
    moved = false;
  }, true);
})();
