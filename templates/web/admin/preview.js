// Keeps the preview up to date. The server says when a file changed; then the frames are loaded again and the parts of
// the page are fetched anew, behind them, and lint a moment later. Places in frames and page stay. Without this script
// the page is loaded again by hand.
"use strict";

const desk = document.querySelector("[data-changes]");
const LOOKED_AT = 4; // desktop, phone, phone in the dark, text; the others are opened by hand
const opened = new Map(); // the place that each frame had before it was loaded again
let shown = desk?.dataset.stamp; // the stamp of the files that are shown
let looked = false; // whether lint was asked for
let round = 0; // answers to earlier rounds are dropped

function panes() {
  return [...desk.querySelectorAll("iframe")];
}

function reload(frame, address) {
  const inside = frame.contentWindow;
  if (!inside) return;
  try {
    if (inside.location.href === "about:blank") return; // a closed one that was never loaded
    opened.set(frame, inside.scrollY);
  } catch {
    opened.delete(frame); // an error page of the browser
  }
  inside.location.replace(address);
}

function keepPlaces() {
  for (const frame of panes()) {
    frame.addEventListener("load", () => {
      const place = opened.get(frame);
      if (place) frame.contentWindow.scrollTo(0, place);
    });
  }
}

function pause(milliseconds) {
  return new Promise((done) => setTimeout(done, milliseconds));
}

async function page(address) {
  const answer = await fetch(address, { redirect: "error" });
  if (!answer.ok) throw new Error(String(answer.status));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

function put(fresh, id) {
  const old = document.getElementById(id);
  const made = fresh.getElementById(id);
  if (old && made && old.innerHTML !== made.innerHTML) old.innerHTML = made.innerHTML;
}

async function showParts(number) {
  const fresh = await page(location.href);
  if (number !== round) return;
  const [now, then] = [panes(), [...fresh.querySelectorAll("iframe")]];
  if (now.length !== then.length) {
    location.reload(); // there is something to show at last
    return;
  }
  for (const part of desk.querySelectorAll("[data-part]")) put(fresh, part.id);
  now.forEach((frame, index) => {
    const address = then[index].getAttribute("src");
    if (frame.getAttribute("src") === address) return;
    frame.setAttribute("src", address); // the edition is gone, another stands in its place
  });
}

async function showLint(number) {
  const fresh = await page(desk.dataset.lint);
  if (number !== round) return;
  const inner = desk.querySelector(".source ol")?.parentElement.scrollTop ?? 0;
  put(fresh, "lint");
  put(fresh, "source");
  const source = desk.querySelector(".source");
  if (source) source.scrollTop = inner;
}

async function refresh() {
  const number = ++round;
  const frames = panes().map((frame) => new Promise((done) => frame.addEventListener("load", done, { once: true })));
  for (const frame of panes()) reload(frame, frame.src);
  try {
    await Promise.race([Promise.all(frames.slice(0, LOOKED_AT)), pause(200)]); // the panes come first
    if (number !== round) return;
    await showParts(number);
    await pause(250);
    if (number === round) await showLint(number);
  } catch {
    // signed out, or the program has ended: what stands there stays until it answers again
  }
}

function listen() {
  const changes = new EventSource(desk.dataset.changes);
  changes.addEventListener("message", (event) => {
    if (event.data !== shown) {
      shown = event.data;
      refresh();
    } else if (!looked) {
      showLint(++round).catch(() => {});
    }
    looked = true;
  });
}

if (desk) {
  keepPlaces();
  listen();
  desk.querySelector(".choose")?.addEventListener("change", (event) => event.currentTarget.requestSubmit());
}
