/* Keeps an open workbench true: it hears from the event process that something changed, reads what that means by itself, and says where its
   reader is. Without the process it asks every 20 seconds; without this file nothing but that is missing. The list never moves. */
"use strict";
(() => {
  const main = document.querySelector("main[data-presence]");
  if (!main) return;
  const byId = (id) => document.getElementById(id);
  const POLL = 20e3, BEAT = 15e3, SILENT = 40e3, HIDDEN = 10e3, AWAY = 300e3, APART = 1e3, ANNOUNCE = 10e3;
  const shown = () => byId("item")?.dataset.reference || "";

  /* What happened meanwhile: asked for at most once a second, and put where it differs. */
  let timer = 0, due = Infinity, lastRead = 0;
  function readWithin(wait) {
    const at = Math.max(Date.now() + wait, lastRead + APART);
    if (at >= due) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(read, at - Date.now());
  }
  const later = () => readWithin(isLive() ? 3 * POLL : POLL);

  async function read() {
    due = Infinity;
    lastRead = Date.now();
    const asked = byId("live"), { reference = "", seen = "" } = byId("item")?.dataset || {};
    if (!asked || document.hidden) return later();
    const address = new URL(asked.dataset.url, location);
    address.searchParams.set("item", reference);
    address.searchParams.set("seen", seen);
    try {
      const answer = await fetch(address, { headers: { "HX-Request": "true", "HX-Target": "live" } });
      // Another list or another state of the item has come meanwhile: what was asked about is not on the page any more.
      if (answer.ok && !answer.redirected && asked === byId("live")) put(await answer.text(), seen);
    } catch {
      /* No network: the acts of the reader say so, and this asks again. */
    }
    later();
  }

  function put(html, seen) {
    const fresh = [...new DOMParser().parseFromString(html, "text/html").body.children];
    const known = new Set(fresh.map((element) => element.id));
    for (const element of fresh) {
      const old = byId(element.id);
      if (!old || old.outerHTML === element.outerHTML || old.contains(document.activeElement)) continue;
      if ((element.id === "changed" || element.id === "here") && byId("item").dataset.seen !== seen) continue;
      const text = element.textContent.trim();
      old.replaceWith(document.adoptNode(element));
      htmx.process(element);
      if (["new", "changed"].includes(element.id) || (element.id === "here" && element.querySelector(".words"))) announce(text);
    }
    for (const place of document.querySelectorAll(".row .here")) if (!known.has(place.id)) place.replaceChildren();
  }

  /* At most one polite message in ten seconds; of several the last. */
  let spoke = 0, words = "", speaking = 0;
  function announce(text) {
    if (!text || !byId("announcer")) return;
    words = text.replace(/\s+/g, " ");
    clearTimeout(speaking);
    speaking = setTimeout(() => {
      spoke = Date.now();
      byId("announcer").textContent = words;
    }, Math.max(0, spoke + ANNOUNCE - Date.now()));
  }

  /* The stream. Its events hold numbers only. */
  let stream = null, heard = 0;
  const isLive = () => stream?.readyState === 1 && Date.now() - heard < SILENT;
  const mark = () => (main.dataset.live = isLive() ? "stream" : "poll");

  function connect() {
    if (!main.dataset.events || stream || document.hidden) return;
    stream = new EventSource(main.dataset.events, { withCredentials: true });
    stream.addEventListener("hello", () => hear(Math.random() * 500));
    stream.addEventListener("beat", () => hear());
    stream.addEventListener("news", (event) => hear(urgency(JSON.parse(event.data))));
    stream.addEventListener("error", () => {
      mark();
      readWithin(POLL);
      // The browser tries again by itself, unless it was turned away.
      if (stream.readyState === 2) hangUp(), setTimeout(connect, POLL * (0.5 + Math.random()));
    });
  }

  function hangUp() {
    stream?.close();
    stream = null;
    mark();
  }

  function hear(wait) {
    heard = Date.now();
    mark();
    if (wait !== undefined) readWithin(wait);
  }

  // What is before the reader at once; what is only counted when it suits, and not all pages in the same moment.
  function urgency({ changed = [], present = [] }) {
    if (changed.includes(shown()) || present.includes(shown())) return 50;
    return present.some((reference) => byId("row-" + reference)) ? 1e3 : 2e3 + Math.random() * 3e3;
  }

  /* Where the reader is, and what they do there. */
  let told = { item: "", doing: "" }, hiddenSince = 0, settling = 0;
  const text = () => byId("compose-text");
  function doing() {
    if (document.hidden) return "away";
    if (byId("sheet")?.open) return "editing";
    return text() && document.activeElement === text() && text().value.trim() ? "replying" : "viewing";
  }

  function form(item, what) {
    const fields = new FormData();
    fields.set("csrfmiddlewaretoken", document.querySelector("[name=csrfmiddlewaretoken]")?.value || "");
    if (item) fields.set("item", item), fields.set("doing", what);
    if (told.item && told.item !== item) fields.set("left", told.item);
    return fields;
  }

  async function tell() {
    const item = shown(), what = doing(), { seen = "" } = byId("item")?.dataset || {};
    if (!item && !told.item) return;
    const body = form(item, what);
    told = { item, doing: what };
    try {
      const answer = await fetch(main.dataset.presence, { method: "POST", body });
      if (answer.ok && !answer.redirected && !document.hidden) put(await answer.text(), seen);
    } catch {
      told = { item: "", doing: "" };
    }
  }

  // Passing an item by is not looking at it.
  function look() {
    clearTimeout(settling);
    if (told.item !== shown() || told.doing !== doing()) settling = setTimeout(tell, told.item === shown() ? 150 : 400);
  }

  for (const name of ["htmx:afterRequest", "htmx:afterSettle", "focusin", "focusout", "input"]) document.addEventListener(name, look);
  byId("sheet")?.addEventListener("close", look);
  document.addEventListener("visibilitychange", () => {
    look();
    hiddenSince = document.hidden ? Date.now() : 0;
    if (document.hidden) return setTimeout(() => document.hidden && hangUp(), HIDDEN);
    connect();
    readWithin(0);
  });
  addEventListener("pagehide", () => told.item && navigator.sendBeacon(main.dataset.presence, form("", "")));
  addEventListener("pageshow", (event) => event.persisted && ((told = { item: "", doing: "" }), look(), readWithin(0)));
  setInterval(() => {
    if (!hiddenSince || Date.now() - hiddenSince < AWAY) tell();
    if (stream && !isLive() && stream.readyState === 1) hangUp(), connect();
  }, BEAT);

  mark();
  connect();
  look();
  later();
})();
