"use strict";
// What server and htmx leave to do: times in the reader's zone, whether the coordinator is heard, keys in the grid.
(() => {
  const QUIET_SECONDS = 12;
  const day = new Intl.DateTimeFormat([], { year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
  const clock = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
  const weekday = new Intl.DateTimeFormat([], { weekday: "short" });

  const shown = (iso, how) => {
    const time = new Date(iso);
    if (how === "day") return day.format(time);
    const today = time.toDateString() === new Date().toDateString();
    return today ? clock.format(time) : `${weekday.format(time)} ${clock.format(time)}`;
  };
  const utc = (iso) => iso.replace("T", " ").replace("Z", " UTC");

  for (const element of document.querySelectorAll("time[data-show]")) {
    element.textContent = shown(element.dateTime, element.dataset.show);
    element.title = utc(element.dateTime);
  }
  // Parts that come later are changed before they are shown, so that no time flickers.
  const TIME = /<time datetime="([^"]+)" data-show="(\w+)">[^<]*<\/time>/g;
  const localised = (html) => html.replace(TIME, (_, iso, how) =>
    `<time datetime="${iso}" data-show="${how}" title="${utc(iso)}">${shown(iso, how)}</time>`);

  const live = document.getElementById("live");
  if (live) {
    const line = document.getElementById("connection");
    const state = document.getElementById("connection-state");
    const age = document.getElementById("connection-age");
    let heard = Date.now(), ever = false, open = false, lost = false, asked = 0, seen = Date.now();

    const say = () => {
      const seconds = Math.round((Date.now() - heard) / 1000);
      const away = seconds > QUIET_SECONDS || lost;
      const words = away ? "The coordinator is away." : ever ? "live" : "connecting";
      line.hidden = false;
      line.classList.toggle("away", away);
      if (state.textContent !== words) state.textContent = words;
      age.textContent = away ? `Last heard ${seconds} s ago.` : "";
    };
    const hear = () => { heard = Date.now(); ever = true; lost = false; say(); };
    const look = () => {
      if (document.hidden || open || Date.now() - asked < 4000) return;
      htmx.trigger(live, "look");
    };

    live.addEventListener("htmx:sse:after:connection", () => { open = true; });
    live.addEventListener("htmx:sse:close", () => { open = false; });
    live.addEventListener("htmx:sse:error", (event) => {
      if (event.detail.status === 401) location.reload();
      lost = true;
      say();
    });
    live.addEventListener("htmx:sse:before:message", (event) => {
      event.detail.message.data = localised(event.detail.message.data);
      hear();
    });
    live.addEventListener("htmx:sse:after:message", () => {
      document.querySelectorAll("table[data-keys]").forEach((table) => rove(table));
      watchWidths();
      const title = document.querySelector("[data-title]")?.dataset.title;
      if (title) document.title = `${title} · Nighttrain`;
    });
    document.addEventListener("visibilitychange", () => { seen = Date.now(); look(); });
    setInterval(() => {
      look();
      // A page that was hidden has just begun to listen again.
      if (!document.hidden && Date.now() - seen > 3000) say();
    }, 1000);
    // htmx listens only when it has read the page, which it does after this script: until then nothing is asked.
    live.addEventListener("htmx:before:request", () => { asked = Date.now(); });
    for (const soon of [0, 100, 300]) document.addEventListener("DOMContentLoaded", () => setTimeout(look, soon));
    seen = 0;
  }

  // One cell of a grid is reached by Tab, the others from there by the arrows.
  function rove(table, chosen) {
    const links = [...table.querySelectorAll("tbody a")];
    const stop = chosen || links.find((link) => link.tabIndex === 0 && link.hasAttribute("tabindex")) || links[0];
    for (const link of links) link.tabIndex = link === stop ? 0 : -1;
  }
  document.addEventListener("focusin", (event) => {
    const link = event.target.closest("table[data-keys] tbody a");
    if (link && link.tabIndex !== 0) rove(link.closest("table"), link);
  });
  const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -1e6], End: [0, 1e6] };
  document.addEventListener("keydown", (event) => {
    const step = STEPS[event.key];
    const cell = event.target.closest("table[data-keys] tbody td");
    if (!step || !cell || event.ctrlKey || event.altKey || event.metaKey) return;
    const rows = [...cell.closest("tbody").rows].map((row) => [...row.querySelectorAll("td a")]);
    const row = rows.findIndex((links) => links.includes(event.target));
    const column = rows[row].indexOf(event.target);
    const within = (place, length) => Math.max(0, Math.min(place, length - 1));
    const target = rows[within(row + step[0], rows.length)];
    const link = target[within(column + step[1], target.length)];
    event.preventDefault();
    if (link) { rove(cell.closest("table"), link); link.focus(); }
  });
  document.querySelectorAll("table[data-keys]").forEach((table) => rove(table));

  // What is wider than its box says so, and fades where there is more to the right.
  const BOXES = ".wide, .plot-wide, .top nav ul";
  const mark = (box) => {
    const hidden = box.scrollWidth - box.clientWidth;
    box.toggleAttribute("data-scrolls", hidden > 1);
    box.toggleAttribute("data-more", hidden - box.scrollLeft > 1);
  };
  const widths = new ResizeObserver((seen) => new Set(seen.map((one) => one.target.closest(BOXES))).forEach((box) => box && mark(box)));
  const watchWidths = () => {
    for (const box of document.querySelectorAll(BOXES)) for (const one of [box, ...box.children]) widths.observe(one);
  };
  watchWidths();
  const here = document.querySelector(".top nav [aria-current]");
  if (here) here.closest("ul").scrollLeft = here.offsetLeft - here.closest("ul").offsetLeft - 60;
  document.addEventListener("scroll", (event) => { if (event.target.matches?.(BOXES)) mark(event.target); }, { capture: true, passive: true });

  // Filters are in the address: a change loads the page of that address, and goes on where it was.
  for (const form of document.querySelectorAll("form[data-filters]")) {
    form.addEventListener("change", (event) => {
      sessionStorage.setItem("focus", event.target.id);
      form.requestSubmit();
    });
    const last = sessionStorage.getItem("focus");
    const control = last && form.querySelector(`#${CSS.escape(last)}`);
    if (control) {
      control.closest("details")?.setAttribute("open", "");
      control.focus({ preventScroll: true });
      sessionStorage.removeItem("focus");
    }
  }
})();
