/* Helps people who write to us: keeps what they wrote, waits for the network, makes photos small. Every form works without it. */
"use strict";
(() => {
  document.documentElement.classList.add("js");
  document.querySelector(".errors")?.focus();

  /* In a frame of another page: that page hears when we are there, when it arrived, and when to close. */
  const sent = document.querySelector("[data-sent]")?.dataset.sent;
  if (document.body.classList.contains("is-embedded") && parent !== self) {
    const tell = (what) => parent.postMessage({ feedback: what }, "*");
    tell(sent ? "sent" : "ready");
    addEventListener("keydown", (event) => event.key === "Escape" && tell("close"));
  }

  /* Drafts. Names, addresses and consent (data-private) are not kept on a device others may use, and nothing for longer than a
     week. A frame in another site may find its storage closed, and goes without. */
  const KEPT = 7 * 24 * 3600e3;
  const tried = (work) => {
    try {
      return work();
    } catch {}
  };
  const keyOf = (form) => "draft " + new URL(form.action).pathname;
  const kept = (form) => [...form.elements].filter((field) => field.name && !field.matches("[type=hidden], [type=file], [type=password], [data-private], .trap *, button"));

  function remember(form) {
    const words = {};
    for (const field of kept(form)) {
      if (field.matches("[type=radio], [type=checkbox]")) {
        if (field.checked) (words[field.name] ??= []).push(field.value);
      } else if (field.value) words[field.name] = field.value;
    }
    tried(() => localStorage.setItem(keyOf(form), JSON.stringify({ at: Date.now(), words })));
  }

  function recall(form) {
    const words = tried(() => JSON.parse(localStorage.getItem(keyOf(form))))?.words || {};
    for (const field of kept(form)) {
      const word = words[field.name];
      if (word === undefined) continue;
      if (Array.isArray(word)) field.checked = field.checked || word.includes(field.value);
      else if (!field.value) field.value = word;
    }
  }

  tried(() => {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith("draft ") && !(Date.now() - JSON.parse(localStorage.getItem(key)).at < KEPT)) localStorage.removeItem(key);
    }
    if (sent) localStorage.removeItem("draft " + new URL(sent, location).pathname);
  });
  // form.js left a mark of what it put into the outbox before it sent it; now it has arrived.
  if (sent) addEventListener("DOMContentLoaded", () => tried(() => self.outbox?.drop(sessionStorage.getItem("sending"))?.catch(() => {})));

  for (const form of document.querySelectorAll("form[data-draft]")) {
    // A refused form comes back with its own values, which are newer.
    if (!form.querySelector(".errors, .error")) recall(form);
    form.addEventListener("input", () => remember(form));
  }

  /* Sending: once, and when there is a network. A form with an outbox is sent by form.js. */
  for (const form of document.querySelectorAll("form[method=post]:not([data-outbox])")) {
    let onItsWay = false;
    form.addEventListener("submit", (event) => {
      const notice = document.getElementById(form.dataset.offline);
      if (notice && !navigator.onLine) {
        event.preventDefault();
        if (notice.hidden) addEventListener("online", () => ((notice.hidden = true), form.requestSubmit()), { once: true });
        notice.hidden = false;
      } else if (onItsWay) event.preventDefault();
      else {
        onItsWay = true;
        // The answer to a reply is the same page again, without a mark that it arrived.
        if (form.id === "reply") tried(() => localStorage.removeItem(keyOf(form)));
      }
    });
    addEventListener("pageshow", () => (onItsWay = false));
  }

  /* Photos: at most 2,000 pixels a side, and drawn anew, which leaves out where they were taken. */
  async function smaller(file) {
    if (!/^image\/(jpeg|png|webp|heic|heif)$/.test(file.type)) return file;
    try {
      const photo = await createImageBitmap(file, { imageOrientation: "from-image" });
      const scale = Math.min(1, 2000 / Math.max(photo.width, photo.height));
      const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(photo.width * scale), height: Math.round(photo.height * scale) });
      const pen = canvas.getContext("2d");
      pen.fillStyle = "#fff";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
      const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.85));
      return blob ? new File([blob], file.name.replace(/\.\w+$/, "") + ".jpg", { type: "image/jpeg" }) : file;
    } catch {
      return file; // a kind this browser cannot draw: the portal decides
    }
  }

  for (const input of document.querySelectorAll("input[data-shrink]")) {
    input.addEventListener("change", async () => {
      const button = input.form.querySelector("[type=submit]");
      button.disabled = true;
      const files = new DataTransfer();
      for (const file of input.files) files.items.add(await smaller(file));
      input.files = files.files;
      button.disabled = false;
    });
  }

  const copies = document.querySelector("[data-copies]");
  copies?.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.querySelector("[data-copy]").textContent.trim());
    const said = document.querySelector("[data-copied]");
    said.textContent = said.dataset.copied;
  });
})();
