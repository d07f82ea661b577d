/* Helps whoever builds a form: the preview follows what is typed, a condition offers the answers of its question alone, questions stay
   open while htmx exchanges the page, and links are copied. Everything works without it, by saving. */
"use strict";
(() => {
  const form = () => document.querySelector(".builder-form");
  let waiting = 0;
  let asked = 0;

  async function show() {
    const here = form();
    const frame = document.getElementById("preview");
    const number = ++asked;
    const asking = fetch(here.dataset.preview, { method: "POST", body: new FormData(here), credentials: "same-origin" });
    const answer = await asking.then((found) => (found.ok ? found.text() : "")).catch(() => "");
    const shown = frame.contentDocument;
    // Of two answers the one that was asked for last stands; a page that is gone by now shows nothing.
    if (!answer || number !== asked || !shown?.body) return;
    const page = new DOMParser().parseFromString(answer, "text/html");
    for (const name of ["lang", "dir"]) shown.documentElement.setAttribute(name, page.documentElement.getAttribute(name) || "");
    shown.body.replaceWith(shown.adoptNode(page.body));
    shown.body.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function offer(row) {
    const [question, , value] = row.querySelectorAll("select");
    for (const group of value.querySelectorAll("optgroup")) group.hidden = group.disabled = group.dataset.of !== question.value;
    if (value.selectedOptions[0]?.parentElement.disabled) value.value = "";
  }
  const offerAll = () => document.querySelectorAll(".rule-row").forEach(offer);

  document.addEventListener("input", (event) => {
    if (!event.target.closest(".builder-form")) return;
    document.querySelector("[data-unsaved]").hidden = false;
    clearTimeout(waiting);
    waiting = setTimeout(show, 300);
  });
  document.addEventListener("change", (event) => {
    const row = event.target.closest(".rule-row");
    if (row) offer(row);
  });

  let open = [];
  document.addEventListener("htmx:beforeSwap", () => {
    clearTimeout(waiting);
    asked++;
    open = [...document.querySelectorAll(".asked:has(details[open])")].map((place) => place.id);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const id of open) document.getElementById(id)?.querySelector("details")?.setAttribute("open", "");
    offerAll();
  });

  document.addEventListener("click", async (event) => {
    const place = event.target.closest("[data-copies]")?.closest(".copying");
    if (!place) return;
    await navigator.clipboard.writeText(place.querySelector("[data-copy]").textContent.trim());
    const said = place.querySelector("[data-copied]");
    said.textContent = said.dataset.copied;
  });
  offerAll();
})();
