/* Completes the search box while it is typed in: the portal says what may stand next and how much it finds. Without this file the
   search is typed whole. */
"use strict";
(() => {
  const PAUSE = 120;
  let timer = 0, asked = 0, chosen = -1;
  const box = () => document.getElementById("search");
  const list = () => document.getElementById("completions");
  const options = () => [...list().querySelectorAll("[role=option]")];

  function close() {
    chosen = -1;
    clearTimeout(timer);
    asked += 1;
    if (!list()) return;
    list().hidden = true;
    list().replaceChildren();
    box().removeAttribute("aria-activedescendant");
  }

  async function ask() {
    const number = ++asked, input = box(), address = new URL(input.dataset.completes, location);
    address.searchParams.set("q", input.value.slice(0, input.selectionStart));
    address.searchParams.set("tab", input.form.elements.tab?.value || "");
    try {
      const answer = await fetch(address, { headers: { "HX-Request": "true" } });
      if (!answer.ok || answer.redirected || number !== asked || document.activeElement !== box()) return;
      list().replaceChildren(...new DOMParser().parseFromString(await answer.text(), "text/html").body.children);
      list().hidden = !list().childElementCount;
      chosen = -1;
    } catch {
      /* No network: what is typed is searched for all the same. */
    }
  }

  function choose(place) {
    const all = options();
    chosen = (place + all.length) % all.length;
    all.forEach((option, number) => option.setAttribute("aria-selected", String(number === chosen)));
    box().setAttribute("aria-activedescendant", all[chosen].id);
    all[chosen].scrollIntoView({ block: "nearest" });
  }

  function take(option) {
    const input = box(), rest = input.value.slice(input.selectionStart);
    input.value = option.dataset.text + rest.trimStart();
    input.setSelectionRange(option.dataset.text.length, option.dataset.text.length);
    clearTimeout(timer);
    timer = setTimeout(ask, 0);
  }

  document.addEventListener("input", (event) => {
    if (event.target !== box()) return;
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE);
  });
  document.addEventListener("keydown", (event) => {
    if (event.target !== box() || !list() || list().hidden) return;
    const all = options();
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Escape") close();
    else if ((event.key === "Enter" || event.key === "Tab") && chosen >= 0) take(all[chosen]);
    else return event.key === "Enter" ? close() : undefined;
    event.preventDefault();
    event.stopPropagation();
  }, true);
  document.addEventListener("mousedown", (event) => {
    const option = event.target.closest("#completions [role=option]");
    if (!option) return;
    event.preventDefault();
    take(option);
  });
  document.addEventListener("focusout", (event) => event.target === box() && close());
  for (const name of ["submit", "htmx:beforeSwap"]) document.addEventListener(name, () => list() && close());
})();
