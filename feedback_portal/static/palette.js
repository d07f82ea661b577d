/* Everything by its name: Ctrl or Cmd K. What can be pressed on this page, where one can go, and items by their words; what was taken
   lately stands first. Each act shows its key, so that it is learned on the way. */
"use strict";
(() => {
  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const box = document.getElementById("palette-box"), list = document.getElementById("palette-list");
  const RECENT = "palette recent", MOST = 12;
  let acts = [], places = [], items = [], shown = [], chosen = 0, asked = 0, timer = 0, from = null;

  const recent = () => JSON.parse(localStorage.getItem(RECENT) || "[]");
  const words = (element) => (element.dataset.name || element.getAttribute("aria-label") || [...element.childNodes].filter((node) => node.nodeName !== "KBD").map((node) => node.textContent).join(" ")).replace(/\s+/g, " ").trim();

  /* Every letter in its order; the fewer lie between, the better. */
  function fit(typed, name) {
    const text = name.toLowerCase();
    if (!typed) return 1;
    const whole = text.indexOf(typed);
    if (whole >= 0) return 100 - whole + (whole === 0 || text[whole - 1] === " " ? 50 : 0);
    let at = -1, apart = 0;
    for (const letter of typed.replace(/\s/g, "")) {
      const next = text.indexOf(letter, at + 1);
      if (next < 0) return 0;
      apart += at < 0 ? 0 : next - at - 1;
      at = next;
    }
    return Math.max(1, 40 - apart);
  }

  function collect() {
    const pressed = [...document.querySelectorAll("[data-key]")].filter((one) => !dialog.contains(one) && one.checkVisibility());
    acts = pressed.map((element) => ({ kind: (element.querySelector("kbd:not([hidden])")?.textContent || element.dataset.key).toUpperCase(), name: words(element) || element.title, take: () => element.click() }));
    for (const link of document.querySelectorAll(".rail .nav a, .menu a")) if (link.querySelector(".name") || link.closest(".menu")) acts.push({ kind: "", name: (link.querySelector(".name") || link).textContent.trim(), url: link.href });
  }

  async function ask(q) {
    const number = ++asked, address = new URL(dialog.dataset.url, location);
    if (q) address.searchParams.set("q", q);
    try {
      const answer = await fetch(address, { headers: { "HX-Request": "true" } });
      if (!answer.ok || answer.redirected) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = [...page.querySelectorAll("a")].map((link) => ({ kind: link.dataset.kind, name: link.textContent.trim(), url: link.getAttribute("href") }));
      if (!q) places = found;
      else if (number === asked) items = found;
      draw();
    } catch {
      /* No network: what this page knows is there all the same. */
    }
  }

  function draw() {
    const typed = box.value.trim().toLowerCase(), lately = recent();
    const known = [...acts, ...places].filter((one, place, every) => one.name && every.findIndex((other) => other.name === one.name && other.kind === one.kind) === place);
    const rank = (one) => (lately.includes(one.name) ? 30 - lately.indexOf(one.name) : 0);
    shown = known.map((one) => [fit(typed, one.name), one]).filter(([fits]) => fits > 0).sort((a, b) => b[0] + rank(b[1]) - (a[0] + rank(a[1]))).map(([, one]) => one).slice(0, MOST);
    if (typed) shown = [...shown, ...items].slice(0, MOST + 8);
    list.replaceChildren(...shown.map((one, place) => {
      const option = document.createElement("div");
      option.setAttribute("role", "option");
      option.id = "palette-" + place;
      const name = document.createElement("span"), kind = document.createElement("span");
      name.textContent = one.name;
      name.dir = "auto";
      kind.textContent = one.kind;
      kind.className = "hint";
      option.append(name, kind);
      option.addEventListener("mousedown", (event) => (event.preventDefault(), take(place)));
      return option;
    }));
    choose(0);
  }

  function choose(place) {
    if (!shown.length) return box.removeAttribute("aria-activedescendant");
    chosen = (place + shown.length) % shown.length;
    [...list.children].forEach((option, number) => option.setAttribute("aria-selected", String(number === chosen)));
    box.setAttribute("aria-activedescendant", "palette-" + chosen);
    list.children[chosen].scrollIntoView({ block: "nearest" });
  }

  function take(place) {
    const one = shown[place];
    if (!one) return;
    localStorage.setItem(RECENT, JSON.stringify([one.name, ...recent().filter((name) => name !== one.name)].slice(0, 8)));
    dialog.close();
    one.url ? location.assign(one.url) : one.take();
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (dialog.open) return dialog.close();
      if (document.querySelector("dialog[open]")) return;
      from = document.activeElement;
      collect();
      box.value = "";
      items = [];
      dialog.showModal();
      draw();
      if (!places.length) ask("");
    }
  });
  box.addEventListener("input", () => {
    draw();
    clearTimeout(timer);
    items = [];
    const q = box.value.trim();
    if (q.length > 1) timer = setTimeout(() => ask(q), 150);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") take(chosen);
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("close", () => document.activeElement === document.body && from?.isConnected && from.focus());
})();
