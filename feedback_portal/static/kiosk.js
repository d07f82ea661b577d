/* A kiosk: a face, a few words for whoever likes, thanks, and back to the start. Every answer goes into the outbox first and is sent
   when there is a network; nothing stays on the screen or in a field for the next person. */
"use strict";
(() => {
  const form = document.getElementById("kiosk");
  const view = (name) => form.querySelector(`[data-view=${name}]`);
  const seconds = Number(form.dataset.seconds);
  const countdown = form.querySelector(".countdown");
  const number = form.querySelector("[data-countdown]");
  const comment = form.elements.namedItem("comment");
  let rating = "";
  let left = 0;
  let then = () => {};

  function show(name) {
    for (const each of form.querySelectorAll("[data-view]")) each.hidden = each.dataset.view !== name;
    const heading = view(name).querySelector("h1");
    if (name !== "faces" || document.activeElement !== document.body) heading.focus();
  }

  function count(from, next) {
    left = from;
    then = next;
    countdown.hidden = !from;
    number.textContent = left;
  }

  setInterval(() => {
    if (!left) return;
    number.textContent = --left;
    if (!left) then();
  }, 1000);

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!event.submitter?.value) return;
    rating = event.submitter.value;
    if (!comment) return void send();
    const face = event.submitter.cloneNode(true);
    view("comment").querySelector("[data-chosen]").replaceChildren(...face.childNodes);
    show("comment");
    // Whoever walks away has still answered.
    count(seconds, () => send());
  });
  comment?.addEventListener("input", () => count(seconds, () => send()));
  form.querySelector("[data-send]").addEventListener("click", () => send());
  form.querySelector("[data-skip]").addEventListener("click", () => send(""));

  async function send(words = comment?.value || "") {
    if (!rating) return; // a second press while the first is being kept
    const id = outbox.newId();
    const fields = Object.entries({ event: id, rating, comment: words, language: form.elements.namedItem("language").value, "written-at": String(Date.now()) });
    count(0);
    rating = "";
    const isKept = await outbox.keep({ id, page: form.dataset.first, url: form.action, at: Date.now(), quiet: true, fields });
    if (!isKept) await fetch(form.action, { method: "POST", body: new URLSearchParams(fields), redirect: "manual" }).catch(() => {});
    const kept = view("thanks").querySelector("[data-kept]");
    kept.hidden = true;
    if (comment) comment.value = "";
    show("thanks");
    count(Math.min(seconds, 8), reset);
    await flush();
    kept.hidden = !(await outbox.waiting().catch(() => [])).length;
  }

  function reset() {
    count(0);
    const first = new URL(form.dataset.first, location);
    if (new URLSearchParams(location.search).get("lang") && first.search !== location.search && navigator.onLine) return location.replace(first);
    show("faces");
  }

  const flush = () => outbox.flush().catch(() => {});
  addEventListener("online", flush);
  setInterval(flush, 30_000);
  flush();

  navigator.serviceWorker?.register(form.dataset.worker, { scope: "/k/" }).then(async () => {
    const { active } = await navigator.serviceWorker.ready;
    const pages = [...document.querySelectorAll("nav a"), { href: form.dataset.first }];
    const drawn = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon], script[src], use")].map((node) => node.href?.baseVal ?? node.href ?? node.src);
    active.postMessage({ keep: [...new Set([location.href, ...pages.map((link) => link.href), ...drawn].map((url) => new URL(url, location).href.replace(/#.*/, "")))] });
  }, () => {});
})();
