/* A public form on a device: one step at a time on a phone, kept and sent later without a network. Without it the form is a plain page. */
"use strict";
(() => {
  const form = document.querySelector("form[data-outbox]");
  if (!form) return;
  const page = new URL(form.action).pathname;
  const isEmbedded = document.body.classList.contains("is-embedded");
  const field = (name) => form.elements.namedItem(name);

  /* The worker that opens this page without a network. A frame in another site gets none: its storage is taken from it anyway. */
  if (!isEmbedded && navigator.serviceWorker) {
    navigator.serviceWorker.register(form.dataset.worker, { scope: "/f/" }).then(async () => {
      const { active } = await navigator.serviceWorker.ready;
      const drawn = [...document.querySelectorAll("link[rel=stylesheet], link[rel=icon], script[src], use")].map((node) => node.href?.baseVal ?? node.href ?? node.src);
      active.postMessage({ keep: [...new Set([location.href, ...drawn].map((url) => new URL(url, location).href.replace(/#.*/, "")))] });
    }, () => {});
  }

  /* Where the link says what it is about, a page that was kept without it says so too. */
  const query = new URLSearchParams(location.search);
  for (const [name, said] of [["about", query.get("about")], ["at-place", query.get("place")]]) {
    if (said && !field(name)) form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value: said }));
  }

  /* Each writing on a kept page is a thing of its own; the same one again is the same thing. */
  const copy = field("sheet-copy");
  if (copy) copy.value ||= outbox.newId();

  /* Sending. It is put into the outbox first, so that nothing is lost when the network fails in the middle. */
  function show(id) {
    const part = document.getElementById(id);
    part.hidden = false;
    return part;
  }

  function showSaved() {
    form.hidden = true;
    show("saved").focus();
    history.replaceState(null, "", location.href.replace(/#.*/, ""));
  }

  const entry = () => ({
    id: copy.value,
    page,
    url: form.action,
    at: Date.now(),
    fields: [...new FormData(form), ["written-at", String(Date.now())]].filter(([, value]) => typeof value === "string" || value.size),
  });

  let isOnItsWay = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (isOnItsWay) return;
    if (isStepped() && !isComplete()) return;
    isOnItsWay = true;
    const isKept = copy ? await outbox.keep(entry()) : false;
    if (navigator.onLine) {
      if (isKept) mark(copy.value);
      return form.submit();
    }
    isOnItsWay = false;
    if (!isKept) {
      addEventListener("online", () => form.requestSubmit(), { once: true });
      return void show("too-much");
    }
    forget();
    // Before anything is waited for: the network may come back meanwhile, and then leads from here to the thanks.
    showSaved();
    const worker = await navigator.serviceWorker?.getRegistration().catch(() => {});
    worker?.sync?.register("outbox").catch(() => {});
  });
  addEventListener("pageshow", () => (isOnItsWay = false));

  // public.js takes this mark for the proof that it arrived.
  const mark = (id) => tried(() => sessionStorage.setItem("sending", id));
  const forget = () => tried(() => localStorage.removeItem("draft " + page));
  const tried = (work) => {
    try {
      return work();
    } catch {} // storage that is closed to a frame
  };

  document.querySelector("#saved button").addEventListener("click", () => location.assign(form.action));
  if (location.hash === "#saved") {
    forget();
    showSaved();
  } else if (copy && document.querySelector(".errors, .error, form .notice:not([hidden])")) {
    outbox.drop(copy.value).catch(() => {}); // it came back to be changed
  }

  /* What waited: sent now, and again whenever the network comes back. */
  async function sendWaiting() {
    if (!navigator.onLine || isOnItsWay) return;
    await outbox.flush().catch(() => {});
    for (const told of await outbox.told(page).catch(() => [])) {
      if (told.sent) {
        if (form.hidden && told.id === copy?.value) return location.replace(told.sent);
        show("arrived").querySelector("a").href = told.sent;
        if (told.challenge) prove(told);
      } else giveBack(told);
    }
  }

  // As on the thank-you page (proof.js), for what was sent without showing one.
  function prove({ challenge, proof }) {
    const worker = new Worker(form.dataset.prover);
    worker.onmessage = ({ data }) => {
      worker.terminate();
      fetch(proof, { method: "POST", body: new URLSearchParams({ proof: data }) }).catch(() => {});
    };
    worker.postMessage(JSON.parse(challenge));
  }

  function giveBack(told) {
    const words = show("returned").querySelector("p");
    words.textContent = words.dataset.words.replace("{reason}", () => told.refused);
    form.hidden = false;
    document.getElementById("saved").hidden = true;
    for (const [name, value] of told.fields) {
      for (const input of form.elements) {
        if (input.name !== name || input.type === "hidden") continue;
        if (input.matches("[type=radio], [type=checkbox]")) input.checked ||= input.value === value;
        else input.value ||= value;
      }
    }
    // What is asked follows from what was answered; see show_if.js.
    form.dispatchEvent(new Event("input", { bubbles: true }));
  }

  addEventListener("online", sendWaiting);
  document.addEventListener("visibilitychange", () => document.hidden || sendWaiting());
  sendWaiting();

  /* Steps, on a phone. */
  const places = [...form.querySelectorAll("[data-step]")];
  const bar = form.querySelector(".steps-bar");
  const sending = form.querySelector(".sending");
  const narrow = matchMedia("(max-width: 640px)");
  let at = 0;
  const steps = () => [...new Set(places.filter((place) => !place.hidden).map((place) => place.dataset.step))];
  const isStepped = () => form.classList.contains("is-stepped");
  const shown = () => places.filter((place) => place.dataset.step === steps()[at] && !place.hidden);

  function draw() {
    const every = steps();
    const is = narrow.matches && every.length > 1 && !form.querySelector(".errors");
    form.classList.toggle("is-stepped", is);
    at = Math.min(at, every.length - 1);
    for (const place of places) place.classList.toggle("is-later", is && place.dataset.step !== every[at]);
    const isLast = at === every.length - 1;
    bar.hidden = !is;
    sending.hidden = is && !isLast;
    bar.querySelector(".actions").hidden = isLast;
    bar.querySelector("[data-back]").hidden = at === 0;
    sending.querySelector("[data-back]").hidden = !is || at === 0;
    const name = bar.querySelector("[data-words]");
    name.textContent = name.dataset.words.replace("{at}", at + 1).replace("{all}", every.length);
  }

  function isComplete() {
    for (const old of form.querySelectorAll(".error.is-here")) old.remove();
    const missing = shown().flatMap((place) => [...place.querySelectorAll("input, textarea, select")]).find((input) => !input.checkValidity());
    if (!missing) return true;
    const question = missing.closest(".question");
    const { write, choose, address } = form.dataset;
    const sentence = missing.validity.valueMissing ? (missing.matches("[type=radio], [type=checkbox]") ? choose : write) : missing.validity.typeMismatch ? address : missing.validationMessage;
    question.append(Object.assign(document.createElement("p"), { className: "error is-here", role: "alert", textContent: sentence }));
    missing.focus();
    return false;
  }

  function go(by) {
    at += by;
    draw();
    const first = shown()[0]?.querySelector("fieldset, input, textarea");
    first?.focus();
    form.scrollIntoView({ block: "start" });
  }

  form.addEventListener("click", (event) => {
    if (event.target.matches("[data-back]")) go(-1);
    if (event.target.matches("[data-next]") && isComplete()) go(1);
  });
  // Enter in a field of one line means the next step, not the end.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !isStepped() || !sending.hidden || !event.target.matches("input")) return;
    event.preventDefault();
    if (isComplete()) go(1);
  });
  form.addEventListener("input", () => setTimeout(draw));
  narrow.addEventListener("change", draw);
  draw();
})();
