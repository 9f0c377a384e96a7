// The timeline page: zoom and pan, the axis that goes with them, and the details of what has the pointer or the focus.
"use strict";

const byId = (id) => document.getElementById(id);
const chart = byId("chart");
const plane = byId("plane");
const axis = byId("ticks");
const grid = byId("grid");
const details = byId("details");
const markOf = (element) => element?.closest?.(".bar, .wait") ?? null;
const marksOf = (bar) => bar.parentElement.querySelectorAll(".bar, .wait");

/** The length of the run, in ms. */
const length = Number(plane.dataset.length);

// ---- Lanes. Of very many, those that have not been in view yet are text.

/** Makes the tab key go past the marks in there, but for those of the lane that has it. */
function skip(element) {
  for (const mark of element.querySelectorAll(".bar, .wait")) {
    mark.tabIndex = -1;
  }
}

/** The elements with that text, by what stands in their place. Taken out of them, it would be there twice. */
const later = new Map();
let count = chart.querySelectorAll(".lane").length;

/** Draws the lanes that stand there as text. */
function draw(place) {
  const group = later.get(place);
  if (group) {
    later.delete(place);
    nearby.unobserve(place);
    const drawn = elementsOf(group.textContent);
    skip(drawn);
    place.replaceWith(drawn);
  }
}

const nearby = new IntersectionObserver(
  (seen) => seen.filter(({ isIntersecting }) => isIntersecting).forEach(({ target }) => draw(target)),
  { root: chart, rootMargin: "500px" },
);
for (const group of chart.querySelectorAll(".lanes > noscript")) {
  const place = document.createElement("li");
  place.className = "later";
  place.style.setProperty("--count", group.dataset.count);
  place.dataset.first = group.dataset.first;
  count += Number(group.dataset.count);
  later.set(place, group);
  group.replaceWith(place);
  nearby.observe(place);
}

/** The bar of the lane with that number. */
function barOf(number) {
  const place = [...later.keys()].findLast(({ dataset }) => Number(dataset.first) <= number);
  if (place && !byId(`lane-${number}`)) {
    draw(place);
  }
  return byId(`lane-${number}`).querySelector(".bar");
}

/** The text as elements that are not on the page yet. */
function elementsOf(text) {
  const made = document.createElement("template");
  made.innerHTML = text;
  return made.content;
}

/** Waits that are drawn one for each pixel in view, of which there may be very many: the text of some in one lane, and from where
 * to where on the axis each is, in percent. */
const crowded = [...chart.querySelectorAll(".waits")].map((place) => {
  const spans = Float64Array.from(place.dataset.spans.split(" "), Number);
  const from = spans.filter((_, index) => index % 2 === 0);
  return { place, from, to: from.map((begin, number) => begin + spans[2 * number + 1]), drawn: new Map() };
});
const WAIT = "<button ";

/** Draws the waits between two parts of the axis, in percent. */
function drawWaits(from, to, perPx) {
  let lane = null;
  let free = from;
  for (const { place, from: begins, to: ends, drawn } of crowded) {
    if (place.parentElement !== lane) {
      lane = place.parentElement;
      free = from;
    }
    const isKept = ([, [wait]]) => wait === shown || wait === document.activeElement;
    const wanted = new Set([...drawn].filter(isKept).map(([number]) => number));
    for (let number = 0; number < begins.length; number++) {
      if (ends[number] >= free && begins[number] <= to) {
        free = Math.max(ends[number], begins[number]) + perPx;
        wanted.add(number);
      }
    }
    for (const [number, marks] of drawn) {
      if (!wanted.has(number)) {
        drawn.delete(number);
        marks.forEach((mark) => mark.remove());
      }
    }
    const missing = [...wanted].filter((number) => !drawn.has(number));
    const texts = missing.length > 0 ? place.textContent.split(WAIT) : [];
    for (const number of missing) {
      const marks = [...elementsOf(WAIT + texts[number + 1]).children];
      marks[0].tabIndex = lane.querySelector(".bar").tabIndex;
      place.before(...marks);
      drawn.set(number, marks);
    }
  }
}

const more = byId("more");
const rows = [...document.querySelectorAll(".rows")].map((group) => {
  group.remove();
  return group;
}).reverse();
const below = new IntersectionObserver(([{ isIntersecting }]) => {
  if (isIntersecting) {
    byId("futures").insertAdjacentHTML("beforeend", rows.pop()?.textContent ?? "");
    more.hidden = rows.length === 0;
    // It may still be in view.
    below.unobserve(more);
    below.observe(more);
  }
});
if (more) {
  below.observe(more);
}

// On paper there is no view.
addEventListener("beforeprint", () => {
  [...later.keys()].forEach(draw);
  byId("futures").insertAdjacentHTML("beforeend", rows.splice(0).reverse().map((group) => group.textContent).join(""));
});

// ---- Zoom

/** Browsers can't lay out wider elements exactly, in px. */
const WIDEST = 8e6;
const STEP = 1.5;
let zoom = 1;

/** The width of the names, which stay in place, in px. */
const names = () => axis.getBoundingClientRect().left - plane.getBoundingClientRect().left;
/** Where the lanes come out from behind the names, in px of the window. */
const edge = () => chart.getBoundingClientRect().left + chart.clientLeft + names();
/** The visible width of the lanes, in px. */
const view = () => chart.clientWidth - names();

/** What should stay in place: the middle of the mark with the focus, else of what is seen; in px from the left of that. */
function middle() {
  const mark = markOf(document.activeElement);
  if (!mark) {
    return view() / 2;
  }
  const { left, right } = mark.getBoundingClientRect();
  const x = (left + right) / 2 - edge();
  return Math.min(Math.max(x, 0), view());
}

/** Zooms, with the moment at `x` px from the left of the visible lanes staying where it is. */
function setZoom(wanted, x = middle()) {
  const most = Math.max(1, Math.min(WIDEST, length * 20) / view());
  const next = Math.min(Math.max(wanted, 1), most);
  const moment = (chart.scrollLeft + x) / zoom;
  zoom = next;
  plane.style.setProperty("--zoom", zoom);
  chart.scrollLeft = moment * zoom - x;
  drawAxis();
  noteSoon();
}

// ---- Axis

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = [[DAY, "d"], [HOUR, "h"], [MINUTE, "min"], [SECOND, "s"], [1, "ms"]];

/** The distances that ticks may have, in ms, shortest first. */
const STEPS = plane.dataset.steps.split(" ").map(Number);

/** A moment on the axis, as "1 h 30 min"; ms only where the step has them. */
function momentText(ms, step) {
  if (ms === 0) {
    return "0";
  }
  if (step < SECOND && ms >= SECOND) {
    const digits = step >= 100 ? 1 : step >= 10 ? 2 : 3;
    const whole = Math.floor(ms / MINUTE) * MINUTE;
    const seconds = `${((ms - whole) / SECOND).toFixed(digits)} s`;
    return whole === 0 ? seconds : `${momentText(whole, MINUTE)} ${seconds}`;
  }
  const words = [];
  let rest = ms;
  for (const [unit, name] of UNITS) {
    const count = Math.floor(rest / unit);
    if (count > 0) {
      words.push(`${count} ${name}`);
    }
    rest -= count * unit;
  }
  return words.join(" ");
}

/** A character of a label and the room around a label, in px. No label is wider than that, whatever the font. */
const CHARACTER = 7;
const ROOM = 24;

/** The ticks between two moments: as many as fit beside each other. */
function ticksIn(from, to, perPx) {
  const fits = (text, px) => text.length * CHARACTER + ROOM <= px;
  let ticks = [];
  for (const step of STEPS.filter((candidate) => candidate >= 60 * perPx)) {
    ticks = [];
    for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
      ticks.push({ at, text: momentText(at, step) });
    }
    if (ticks.every(({ text }) => fits(text, step / perPx))) {
      break;
    }
  }
  return ticks;
}

/** Draws the ticks in view and a little beyond. */
function drawAxis() {
  const width = axis.clientWidth;
  if (width === 0) {
    return;
  }
  const perPx = length / width;
  const from = Math.max(0, (chart.scrollLeft - view()) * perPx);
  const to = Math.min(length, (chart.scrollLeft + 2 * view()) * perPx);
  const labels = document.createDocumentFragment();
  const lines = document.createDocumentFragment();
  for (const { at, text } of ticksIn(from, to, perPx)) {
    const left = `${(at / length) * 100}%`;
    const line = document.createElement("i");
    line.style.left = left;
    lines.append(line);
    if (width - at / perPx > text.length * CHARACTER) {
      const label = document.createElement("span");
      label.className = "tick";
      label.textContent = text;
      label.style.left = left;
      labels.append(label);
    }
  }
  drawWaits((from / length) * 100, (to / length) * 100, 100 / width);
  axis.replaceChildren(labels);
  grid.replaceChildren(lines);
}

let isDue = false;
function drawAxisSoon() {
  if (!isDue) {
    isDue = true;
    requestAnimationFrame(() => {
      isDue = false;
      drawAxis();
    });
  }
}

chart.addEventListener("scroll", () => {
  drawAxisSoon();
  if (zoom > 1) {
    noteSoon();
  }
});
new ResizeObserver(drawAxisSoon).observe(axis);

// ---- Details

/** The mark whose details are shown, and whether they stay when the pointer leaves it. */
let shown = null;
let pinned = false;
let leaving = 0;

/** What there is to say of a mark: the text after it, whose title has the sign of the lane, or of a wait. */
function detailsOf(mark) {
  const lane = mark.closest(".lane");
  const made = elementsOf(mark.nextElementSibling.textContent);
  const sign = lane.querySelector(".sign").cloneNode(true);
  if (mark.classList.contains("wait")) {
    sign.firstElementChild.setAttribute("href", "#waiting");
  }
  const title = document.createElement("h3");
  title.className = [...lane.classList].find((name) => name !== "lane");
  title.append(sign, made.firstChild);
  made.prepend(title);
  return made;
}

function show(mark) {
  clearTimeout(leaving);
  if (mark !== shown) {
    hide();
    shown = mark;
    details.replaceChildren(detailsOf(mark));
    details.hidden = false;
    mark.setAttribute("aria-describedby", "details");
    byId(mark.dataset.of)?.classList.add("hit");
  }
  place(mark);
  // The end of a log says how it went.
  const log = details.querySelector("pre");
  if (log) {
    log.scrollTop = log.scrollHeight;
  }
}

/** Shows the details of a mark until something else is chosen. */
function pin(mark) {
  show(mark);
  pinned = true;
  noteSoon();
}

function hide() {
  clearTimeout(leaving);
  if (pinned) {
    noteSoon();
  }
  pinned = false;
  if (shown) {
    shown.removeAttribute("aria-describedby");
    byId(shown.dataset.of)?.classList.remove("hit");
    shown = null;
    details.hidden = true;
  }
}

/** Puts the details below the mark or above it, wherever there is more room, and never outside the window. */
function place(mark) {
  const gap = 8;
  const { clientWidth, clientHeight } = document.documentElement;
  const box = mark.getBoundingClientRect();
  const from = Math.max(box.left, edge());
  const below = clientHeight - box.bottom - 2 * gap;
  const above = box.top - 2 * gap;
  const isBelow = below >= Math.min(details.scrollHeight, above);
  details.style.maxHeight = `${Math.max(isBelow ? below : above, 120)}px`;
  const top = isBelow ? box.bottom + gap : box.top - gap - details.offsetHeight;
  const left = Math.min(from, clientWidth - details.offsetWidth - gap);
  details.style.left = `${Math.max(gap, left)}px`;
  details.style.top = `${Math.min(Math.max(gap, top), clientHeight - details.offsetHeight - gap)}px`;
}

// What is shown goes along with what it belongs to.
document.addEventListener("scroll", (event) => {
  if (shown && !details.contains(event.target)) {
    place(shown);
  }
}, { capture: true, passive: true });

/** The pointer may go on into the details. */
function hideSoon() {
  clearTimeout(leaving);
  if (!pinned) {
    leaving = setTimeout(hide, 200);
  }
}

/** The mark that the pointer has come to, or has left, if it is not the one that it was on or is on now. */
function crossed({ target, relatedTarget }) {
  const mark = markOf(target);
  return mark === markOf(relatedTarget) ? null : mark;
}

chart.addEventListener("pointerover", (event) => {
  const mark = crossed(event);
  if (mark && event.pointerType === "mouse" && !pinned && !drag) {
    show(mark);
  }
});
chart.addEventListener("pointerout", (event) => {
  if (crossed(event)) {
    hideSoon();
  }
});
chart.addEventListener("click", (event) => {
  const mark = markOf(event.target);
  if (mark) {
    const again = pinned && shown === mark;
    hide();
    if (!again) {
      pin(mark);
    }
  }
});
details.addEventListener("pointerenter", () => clearTimeout(leaving));
details.addEventListener("pointerleave", hideSoon);
document.addEventListener("pointerdown", (event) => {
  if (pinned && !details.contains(event.target) && !markOf(event.target)) {
    hide();
  }
});

// ---- Focus. The tab key goes through the marks of one lane, arrow keys from lane to lane.

let current = barOf(0);

function makeCurrent(bar) {
  for (const mark of marksOf(current)) {
    mark.tabIndex = -1;
  }
  current = bar;
  for (const mark of marksOf(current)) {
    mark.tabIndex = 0;
  }
}

skip(chart);
makeCurrent(current);

chart.addEventListener("focusin", (event) => {
  const mark = markOf(event.target);
  if (mark) {
    makeCurrent(mark.closest(".lane").querySelector(".bar"));
    if (mark.matches(":focus-visible")) {
      mark.scrollIntoView({ block: "nearest", inline: "nearest" });
      show(mark);
    }
  }
});
chart.addEventListener("focusout", hideSoon);

function go(by) {
  const number = Number(current.closest(".lane").id.slice("lane-".length));
  barOf(Math.min(Math.max(number + by, 0), count - 1)).focus({ focusVisible: true, preventScroll: true });
}

// ---- Keys

const pan = (share) => chart.scrollBy({ left: share * view() });
const anywhere = {
  "+": () => setZoom(zoom * STEP),
  "=": () => setZoom(zoom * STEP),
  "-": () => setZoom(zoom / STEP),
  "0": () => setZoom(1),
  "Escape": hide,
};
const inChart = {
  ArrowLeft: () => pan(-0.2),
  ArrowRight: () => pan(0.2),
  ArrowUp: () => go(-1),
  ArrowDown: () => go(1),
  PageUp: () => go(-10),
  PageDown: () => go(10),
  Home: () => go(-count),
  End: () => go(count),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("select")) {
    return;
  }
  const action = anywhere[event.key] ?? (chart.contains(event.target) ? inChart[event.key] : undefined);
  if (action) {
    event.preventDefault();
    action();
  }
});

byId("in").addEventListener("click", anywhere["+"]);
byId("out").addEventListener("click", anywhere["-"]);
byId("fit").addEventListener("click", anywhere["0"]);

// ---- Wheel and drag

chart.addEventListener("wheel", (event) => {
  const over = axis.getBoundingClientRect();
  if (event.ctrlKey || event.metaKey || (event.clientY < over.bottom && !event.shiftKey)) {
    event.preventDefault();
    setZoom(zoom * 2 ** (-event.deltaY / 240), Math.max(0, event.clientX - edge()));
  }
}, { passive: false });

/** Where the pointer went down, and where the lanes were then. Fingers scroll by themselves. */
let drag = null;

chart.addEventListener("pointerdown", (event) => {
  if (event.pointerType === "mouse" && event.button === 0 && event.target.closest(".track, .ticks")) {
    drag = { x: event.clientX, y: event.clientY, left: chart.scrollLeft, top: chart.scrollTop };
  }
});
document.addEventListener("pointermove", (event) => {
  if (!drag) {
    return;
  }
  const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
  if (chart.classList.contains("dragged") || Math.hypot(x, y) > 4) {
    chart.classList.add("dragged");
    chart.scrollTo(drag.left - x, drag.top - y);
  }
});
document.addEventListener("pointerup", () => {
  drag = null;
  // After the click that ends a drag, which is none.
  setTimeout(() => chart.classList.remove("dragged"));
});
chart.addEventListener("click", (event) => {
  if (chart.classList.contains("dragged")) {
    event.stopPropagation();
  }
}, { capture: true });

// ---- The fragment of the page's address: what is in view, and which future is chosen. `#lane-3` is a lane, with this script or
// without.

let noting = 0;

/** What the fragment asked for, so that it stays as it is until the reader goes elsewhere. */
let asked = null;

function fragment() {
  const parts = [];
  if (asked?.zoom === zoom && asked.left === chart.scrollLeft) {
    parts.push(asked.text);
  } else if (zoom > 1) {
    const perPx = length / axis.clientWidth;
    const seconds = (ms) => Math.round(Math.min(ms, length)) / SECOND;
    parts.push(`t=${seconds(chart.scrollLeft * perPx)}-${seconds((chart.scrollLeft + view()) * perPx)}s`);
  }
  const lane = pinned && shown.matches(".bar") ? shown.closest(".lane") : null;
  if (lane && lane.id !== "lane-0") {
    parts.push(`future=${encodeURIComponent(lane.querySelector(".name").title)}`);
  }
  return parts.length > 0 ? `#${parts.join("&")}` : "";
}

/** Browsers allow this only so many times a minute. */
function noteSoon() {
  clearTimeout(noting);
  noting = setTimeout(() => {
    try {
      history.replaceState(null, "", location.href.split("#")[0] + fragment());
    } catch {
      // A page inside another one may have no address of its own.
    }
  }, 250);
}

/** The number of the lane of the future with that name; none if there is no such future. */
function laneOf(name) {
  if (!name) {
    return undefined;
  }
  const found = (lanes) => [...lanes.querySelectorAll(".lane:not(#lane-0) > .name")].find(({ title }) => title === name);
  for (const part of [null, ...later.values()]) {
    const there = found(part ? elementsOf(part.textContent) : chart);
    if (there) {
      return Number(there.parentElement.id.slice("lane-".length));
    }
  }
  return undefined;
}

/** Makes the time between two moments, in ms, fill the view. */
function showTime(from, to, text) {
  const end = Math.min(to, length);
  if (from < end) {
    setZoom((view() * length * zoom) / ((end - from) * axis.clientWidth), 0);
    chart.scrollLeft = (from / length) * axis.clientWidth;
    asked = { zoom, left: chart.scrollLeft, text };
  }
}

/** Goes where an address says. What makes no sense is left alone. */
function follow(address) {
  const text = new URL(address).hash.slice(1);
  const wanted = new URLSearchParams(text);
  const number = /^lane-\d+$/.test(text) ? Number(text.slice("lane-".length)) : laneOf(wanted.get("future"));
  if (number < count) {
    const bar = barOf(number);
    bar.scrollIntoView({ block: "nearest", inline: "nearest" });
    bar.focus({ preventScroll: true });
    pin(bar);
  }
  const [stretch, from, to] = wanted.get("t")?.match(/^(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)s$/) ?? [];
  showTime(from * SECOND, to * SECOND, `t=${stretch}`);
}

// The event's own address: that of the page may have been noted anew before the event came.
addEventListener("hashchange", ({ newURL }) => follow(newURL));

// ---- Theme. A page from a file may be refused a memory, and works without.

const theme = byId("theme");

function setTheme(name) {
  if (name) {
    document.documentElement.dataset.theme = name;
  } else {
    delete document.documentElement.dataset.theme;
  }
  theme.value = name;
}

theme.addEventListener("change", () => {
  setTheme(theme.value);
  try {
    localStorage.setItem("async-timeline-theme", theme.value);
  } catch {
    // Not remembered then.
  }
});
try {
  setTheme(localStorage.getItem("async-timeline-theme") ?? "");
} catch {
  setTheme("");
}

drawAxis();
follow(location.href);
