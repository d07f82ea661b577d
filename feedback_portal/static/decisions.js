/* Decisions that could not be sent, for there was no connection: kept on this device, and sent once and in their order when there is one.
   Each has a key of its own, so one that had arrived, and whose answer was lost, is not done again. */
"use strict";
(() => {
  const bar = document.getElementById("waiting");
  if (!bar) return;
  const KEPT = "decisions of " + bar.dataset.person, AGAIN = 5e3;
  const byId = (id) => document.getElementById(id);
  const read = () => JSON.parse(localStorage.getItem(KEPT) || "[]");

  function write(entries) {
    entries.length ? localStorage.setItem(KEPT, JSON.stringify(entries)) : localStorage.removeItem(KEPT);
    show();
  }

  function show() {
    const entries = read(), words = byId("waiting-words"), isAway = entries.length > 0 || !navigator.onLine;
    const said = isAway ? [words.dataset.away, entries.length && words.dataset.count.replace("{count}", entries.length)].filter(Boolean).join(" ") : "";
    if (words.textContent !== said) words.textContent = said;
    byId("send-waiting").hidden = !entries.length;
    bar.hidden = !isAway && !byId("disputed").childElementCount;
    const waits = new Set(entries.map((entry) => entry.reference));
    for (const row of document.querySelectorAll(".row")) row.classList.toggle("is-waiting", waits.has(row.dataset.reference));
  }

  /** Takes what htmx could not send; false when it is nothing that may wait. */
  function keep({ path, headers, formData }) {
    if (!/^\/triage\/([^/]+\/decide|bulk)\/$/.test(new URL(path, location).pathname)) return false;
    const fields = [...formData].filter(([name]) => name !== "csrfmiddlewaretoken");
    const reference = path.split("/")[2];
    try {
      write([...read(), { path, reference, fields, key: headers["Idempotency-Key"] }]);
    } catch {
      return false; // a browser that keeps nothing
    }
    return true;
  }

  // One page at a time, where the browser knows how; a page that is not served safely has to do without.
  let running;
  function send() {
    const locked = navigator.locks ? () => navigator.locks.request("decisions", { ifAvailable: true }, (lock) => lock && sendAll()) : sendAll;
    return (running ??= locked().finally(() => (running = undefined)));
  }

  async function sendAll() {
    let sent = 0, done = "";
    for (let [entry] = read(); entry; [entry] = read()) {
      const answer = await post(entry);
      if (!answer) break;
      const rest = read().filter((other) => other.key !== entry.key);
      const seen = versionOf(entry), now = answer.headers.get("Ticket-Version");
      // What else was decided here about the same ticket stood on the state that this decision has changed.
      if (now) for (const other of rest) if (other.path === entry.path && versionOf(other) === seen) other.fields = other.fields.map(([name, value]) => [name, name === "version" ? now : value]);
      write(rest);
      sent += 1;
      const html = await answer.text();
      answer.ok ? (done = html) : portal.object(html);
    }
    if (sent) portal.readAnew(done);
  }

  const versionOf = (entry) => entry.fields.find(([name]) => name === "version")?.[1];

  /** The answer, or nothing while it may go better later. */
  async function post({ path, fields, key }) {
    const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value || "";
    try {
      const answer = await fetch(path, { method: "POST", headers: { "HX-Request": "true", "Idempotency-Key": key, "X-CSRFToken": token }, body: new URLSearchParams(fields) });
      const isLater = answer.redirected || answer.status >= 500 || [408, 425, 429].includes(answer.status);
      return isLater ? undefined : answer;
    } catch {
      /* Still no connection. */
    }
  }

  byId("send-waiting").addEventListener("click", send);
  for (const name of ["online", "offline"]) addEventListener(name, () => (show(), navigator.onLine && send()));
  addEventListener("storage", show);
  document.addEventListener("htmx:afterRequest", show);
  setInterval(() => read().length && send(), AGAIN);
  portal.keep = keep;
  show();
  if (read().length) send();
})();
