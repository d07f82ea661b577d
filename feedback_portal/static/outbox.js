/* What was written on this device and is not with us yet: kept in IndexedDB, sent once when there is a network, then forgotten.
   Used by pages and by the service worker. An entry is {id, page, url, fields [[name, value or file]], at}; its id is the one the
   portal stores it under, so sending it twice is sending it once. */
"use strict";
self.outbox = (() => {
  const KEPT = 30 * 24 * 3600e3;
  const MOST_BYTES = 20e6;

  let opened;
  const database = () =>
    (opened ??= new Promise((done, fail) => {
      const request = indexedDB.open("outbox", 1);
      request.onupgradeneeded = () => {
        request.result.createObjectStore("waiting", { keyPath: "id" });
        request.result.createObjectStore("told", { keyPath: "id" });
      };
      request.onsuccess = () => done(request.result);
      request.onerror = () => fail(request.error);
    }));

  async function ask(store, mode, work) {
    const transaction = (await database()).transaction(store, mode);
    const request = work(transaction.objectStore(store));
    return new Promise((done, fail) => {
      transaction.oncomplete = () => done(request.result);
      transaction.onerror = transaction.onabort = () => fail(transaction.error);
    });
  }

  const all = (store) => ask(store, "readonly", (rows) => rows.getAll());
  const remove = (store, id) => ask(store, "readwrite", (rows) => rows.delete(id));
  const size = (entry) => entry.fields.reduce((sum, [, value]) => sum + (value.size ?? value.length), 0);

  /** Keeps an entry; false when this device has no room for it. */
  async function keep(entry) {
    try {
      const waiting = await all("waiting");
      const held = waiting.filter((other) => other.id !== entry.id).reduce((sum, other) => sum + size(other), size(entry));
      if (held > MOST_BYTES) return false;
      await ask("waiting", "readwrite", (rows) => rows.put(entry));
      return true;
    } catch {
      return false; // a browser that keeps nothing, as in a private window
    }
  }

  // One at a time, whoever asks: a page, another page, the worker.
  let running;
  function flush() {
    const locked = self.navigator?.locks ? () => navigator.locks.request("outbox", send) : send;
    return (running ??= locked().finally(() => (running = undefined)));
  }

  /** Sends what waits, oldest first; answers what came of each. Stops where the network is away or asks for patience. */
  async function send() {
    const came = [];
    for (const entry of (await all("waiting")).sort((one, other) => one.at - other.at)) {
      if (Date.now() - entry.at > KEPT) await remove("waiting", entry.id);
      else {
        const outcome = await deliver(entry);
        if (!outcome) break;
        if (!entry.quiet) await ask("told", "readwrite", (rows) => rows.put({ ...outcome, id: entry.id, page: entry.page, fields: outcome.refused ? entry.fields.filter(([, value]) => typeof value === "string") : [], at: Date.now() }));
        await remove("waiting", entry.id);
        came.push({ ...outcome, id: entry.id });
      }
    }
    return came;
  }

  /** {sent: the private link} or {refused: why} for good; nothing while it may go better later. */
  async function deliver(entry, again = false) {
    let answer;
    try {
      answer = await fetch(entry.url, { method: "POST", body: body(entry), credentials: "omit", redirect: entry.quiet ? "manual" : "follow" });
    } catch {
      return;
    }
    if (answer.type === "opaqueredirect") return { sent: "" };
    if (answer.ok) {
      // What looks like a program's work from here comes with a challenge, which a page solves; see form.js.
      const [, challenge, proof] = /data-challenge="([^"]+)" data-proof="([^"]+)"/.exec(await answer.text()) || [];
      return { sent: answer.url, challenge: plain(challenge), proof };
    }
    if ([408, 425, 429].includes(answer.status) || answer.status >= 500) return;
    const page = await answer.text();
    // A page that waited for more than a day comes back with a new token for the same thing.
    const token = /name="token" value="([^"]+)"/.exec(page)?.[1];
    if (!again && answer.status === 400 && token && !page.includes('class="errors"')) {
      return deliver({ ...entry, fields: entry.fields.map(([name, value]) => [name, name === "token" ? token : value]) }, true);
    }
    if (entry.quiet && answer.status !== 400) return; // a kiosk that is switched off may be switched on again
    const reason = /class="error">([^<]*)</.exec(page) || /<h1[^>]*>([^<]*)</.exec(page);
    return { refused: plain(reason?.[1]) };
  }

  // A worker has no parser of pages.
  const plain = (text = "") => text.replace(/&(amp|lt|gt|quot|#x27);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'" })[name]);

  function body(entry) {
    const form = new FormData();
    for (const [name, value] of entry.fields) form.append(name, value);
    return form;
  }

  /** What came of a page's entries since it was asked last. */
  async function told(page) {
    const rows = (await all("told")).filter((row) => row.page === page);
    await Promise.all(rows.map((row) => remove("told", row.id)));
    return rows.filter((row) => Date.now() - row.at < KEPT);
  }

  return { keep, flush, told, waiting: () => all("waiting"), drop: (id) => remove("waiting", id), newId: () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("") };
})();
