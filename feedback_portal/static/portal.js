/* Makes the staff pages quick. Without it links are links and forms are forms; this adds keys, the sheet that a verb's form opens in,
   and keeps the focus where the reader left it while htmx exchanges regions. */
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const byId = (id) => (id ? document.getElementById(id) : null);
  document.documentElement.classList.add("js");

  /* The queue */
  const rowOf = (reference) => (reference ? byId("row-" + reference) : null);
  const linkIn = (row) => (row ? $("h3 a", row) : null);
  const currentRow = () => $(".row[aria-current=true]");
  const shown = () => byId("item")?.dataset.reference;

  function mark(reference) {
    for (const row of all(".row")) {
      const here = row.dataset.reference === reference;
      here ? row.setAttribute("aria-current", "true") : row.removeAttribute("aria-current");
    }
    // One tab stop for the whole list: the open row, else the first.
    const stop = linkIn(currentRow()) || $(".row h3 a");
    for (const link of all(".row h3 a")) link.tabIndex = link === stop ? 0 : -1;
  }

  function neighbour(row, step) {
    const rows = all(".row");
    return rows[rows.indexOf(row) + step] || null;
  }

  function move(step, extend) {
    const from = document.activeElement.closest(".row") || currentRow();
    const row = from ? neighbour(from, step) : $(".row");
    if (!row) return;
    if (extend) for (const chosen of [from, row]) choose(chosen, true);
    linkIn(row).tabIndex = 0;
    linkIn(row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    if (!extend) linkIn(row).click();
  }

  function choose(row, on) {
    const box = row && $(".pick input", row);
    if (!box) return;
    box.checked = on ?? !box.checked;
    box.dispatchEvent(new Event("change", { bubbles: true }));
  }

  document.addEventListener("change", (event) => {
    if (!event.target.closest(".pick")) return;
    const rows = all(".pick :checked");
    const chosen = $("[data-chosen]"), accept = $("[data-shared]");
    chosen.textContent = chosen.dataset.chosen.replace("{count}", rows.length);
    // What is proposed for all of them alike is named on the button that accepts it.
    const proposed = new Set(rows.map((box) => $(".chip:not(.chip-set) span", box.closest(".row"))?.lastChild.textContent.trim()));
    const [shared] = proposed;
    accept.dataset.usual ??= accept.textContent;
    accept.textContent = proposed.size === 1 && shared ? accept.dataset.shared.replace("{what}", () => shared) : accept.dataset.usual;
  });

  /* Keys. An element says which key presses it: data-key="r". */
  const singleKeys = byId("single-keys");
  if (singleKeys) {
    singleKeys.checked = localStorage.getItem("single-keys") !== "off";
    singleKeys.addEventListener("change", () => localStorage.setItem("single-keys", singleKeys.checked ? "on" : "off"));
  }
  // What this person's keys mean, where that is not what the key itself means: see the page "How I work".
  const chosen = JSON.parse(document.body.dataset.keys || "{}");
  const meaning = (key) => chosen[key] ?? key;
  const areOff = () => document.body.dataset.singleKeys === "off" || (singleKeys && !singleKeys.checked);
  function nameKeys(root = document) {
    if (!document.body.dataset.keys) return;
    const shownAs = Object.fromEntries(Object.entries(chosen).map(([shown, usual]) => [usual, shown]));
    for (const kbd of all(":is([data-key], [data-many]) kbd, .keys kbd", root)) {
      const usual = (kbd.dataset.usual ??= kbd.textContent.trim().toLowerCase());
      if (usual in shownAs) kbd.textContent = shownAs[usual].toUpperCase();
      else if (meaning(usual) !== usual) kbd.hidden = true;
    }
  }
  nameKeys();

  const places = { t: "/triage/", s: "/signals/", a: "/actions/", k: "/kpis/" };
  let goUntil = 0;
  let wanted = null; // the row opened last, until its item is there

  function press(key) {
    const element = all(`[data-key="${CSS.escape(key)}"]`).find((one) => one.checkVisibility() || one.type === "radio");
    if (!element) return false;
    if ((wanted || choosing()) && element.closest("#item")) return true; // a verb is not for the item before, nor beside what is chosen
    if (element.matches("input[type=search]")) element.select();
    else element.click();
    if (element.type === "radio") byId("compose-text").focus();
    return true;
  }

  /* With rows chosen a verb is for them: its key presses its button above the list, or asks there for what it needs. */
  const choosing = () => Boolean($(".pick :checked"));
  function forMany(key) {
    const button = choosing() && $(`#bulk [data-many="${CSS.escape(key)}"]`);
    if (!button) return false;
    button.closest("details")?.setAttribute("open", "");
    const field = $("select, input", button.parentElement);
    field ? field.focus() : button.click();
    return true;
  }

  function acceptable() {
    const row = document.activeElement.closest(".row");
    // What is proposed may belong to the row before while the next one is still on its way.
    return !isElsewhere() && shown() === (row || currentRow())?.dataset.reference ? byId("accept") : null;
  }

  // Enter is for what has the focus, unless that is a row.
  function isElsewhere() {
    const focus = document.activeElement, row = focus.closest(".row");
    return Boolean(focus.closest("a, button, summary, input:not(.pick input), select, textarea") && !(row && focus === linkIn(row)));
  }

  function letterInChoices(event) {
    const labels = all("label", event.target.closest(".choices"));
    const after = labels.findIndex((label) => label.contains(event.target)) + 1;
    const found = [...labels.slice(after), ...labels].find((label) => label.textContent.trim().toLowerCase().startsWith(event.key.toLowerCase()));
    if (found) $("input", found).click(), $("input", found).focus();
  }

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.defaultPrevented || event.isComposing) return;
    if (key === "Enter" && (event.ctrlKey || event.metaKey) && target.form) return target.form.requestSubmit();
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "Escape") return escape(target);
    if (key === "Enter" && target.matches(".bulk-line :is(select, input:not([type=checkbox]))")) return event.preventDefault(), $("[data-many]", target.parentElement).click();
    if (target.matches(".choices [type=radio]") && /^\p{L}$/u.test(key)) return letterInChoices(event);
    if (target.matches("input:not(.pick input), textarea, select") || byId("sheet")?.open || areOff()) {
      if (!(target.closest(".row") && key.startsWith("Arrow"))) return;
    }
    if (act(key.length === 1 ? meaning(key.toLowerCase()) : key.toLowerCase(), event)) event.preventDefault();
  });

  function act(key, event) {
    if (goUntil > event.timeStamp && places[key]) {
      goUntil = 0;
      location.assign(places[key]);
      return true;
    }
    const inQueue = event.target === document.body || event.target.closest(".queue");
    if (key === "j" || (key === "arrowdown" && inQueue)) return move(1, event.shiftKey), true;
    if (key === "k" || (key === "arrowup" && inQueue)) return move(-1, event.shiftKey), true;
    if (key === "z" && (event.shiftKey || !byId("undo")?.checkVisibility())) return takeBack(event.shiftKey ? "redo-last" : "undo-last");
    if (key === "[" || key === "]") return file(key === "]" ? 1 : -1);
    if (key === "g") return (goUntil = event.timeStamp + 1500), true;
    if (key === "?") return byId("help").togglePopover(), true;
    if (key === " " && event.target.matches(".row h3 a")) return choose(event.target.closest(".row")), true;
    if (!(key === "enter" && isElsewhere()) && forMany(key)) return true;
    if (key === "enter") {
      const accept = acceptable();
      if (accept) accept.requestSubmit();
      return Boolean(accept);
    }
    return key.length === 1 && press(key);
  }

  function file(step) {
    const files = all("#item .files a");
    const here = files.indexOf(document.activeElement);
    const next = files[here < 0 ? (step > 0 ? 0 : files.length - 1) : (here + step + files.length) % files.length];
    next?.focus();
    return Boolean(next);
  }

  // After the toast is gone, or the page was read anew, the last act is known to the portal alone.
  function takeBack(id) {
    byId(id)?.requestSubmit();
    return Boolean(byId(id));
  }

  function escape(target) {
    const bulk = byId("bulk");
    if (bulk && choosing()) bulk.reset(), refocus(linkIn(currentRow()));
    if (target.id === "search" || target.id === "compose-text") (linkIn(currentRow()) || byId("main")).focus();
  }

  /* Regions come and go; the focus stays, and an item that is no longer wanted is not shown. */
  let before = {};
  let deciding = false; // a second press while the first is on its way is not a second decision

  // What a timer or scrolling asked for changes neither the notice, nor the item, nor where the list stands.
  const inBackground = (target) => ["more", "rule-told", "back-test", "bulk-run"].includes(target.id);

  // A press has a key of its own until it is answered, so sending it again, by whatever way, is not doing it again.
  const presses = new Map();

  document.addEventListener("htmx:configRequest", ({ detail }) => {
    if (detail.verb === "get") return;
    if (detail.elt.matches("[data-decides]")) {
      const row = rowOf(shown());
      const next = wanted ? rowOf(wanted) : neighbour(row, 1) || neighbour(row, -1);
      detail.parameters.next = next?.dataset.reference || "";
    }
    detail.press = JSON.stringify([detail.path, ...[...detail.formData].filter(([name]) => !["next", "csrfmiddlewaretoken"].includes(name))]);
    if (!presses.has(detail.press)) presses.set(detail.press, [...crypto.getRandomValues(new Uint32Array(4))].join("-"));
    detail.headers["Idempotency-Key"] = presses.get(detail.press);
  });

  document.addEventListener("htmx:beforeRequest", (event) => {
    const { elt, requestConfig, target, xhr } = event.detail;
    if (inBackground(target)) return;
    const posts = requestConfig.verb !== "get";
    if (elt.matches(".row h3 a")) mark((wanted = elt.closest(".row").dataset.reference));
    // The form whose answer is awaited must stay: htmx finds no region from an element that has left the page.
    if (deciding && target.id !== "queue") return event.preventDefault();
    waitFor(xhr, elt);
    const sheet = byId("sheet");
    $(".notice[role=alert]:not([data-conflict])", sheet.open ? sheet : document)?.remove();
    if (!posts) return;
    deciding = true;
    wanted = null;
    if (byId("rows")) htmx.trigger("#rows", "htmx:abort");
    const row = rowOf(shown());
    if (!row || !elt.matches("[data-decides]")) return;
    row.setAttribute("aria-busy", "true");
    if (!sheet.open) linkIn(neighbour(row, 1) || row).focus();
  });

  document.addEventListener("htmx:beforeSwap", () => {
    const focus = document.activeElement;
    before = { id: focus.id, row: focus.closest(".row")?.dataset.reference, region: focus.closest("[data-region]")?.id };
  });

  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    const { target, fragment } = event.detail;
    if (target.id === "item" && wanted && fragment.firstElementChild.dataset.reference !== wanted) event.detail.shouldSwap = false;
  });

  document.addEventListener("htmx:afterRequest", (event) => {
    const { xhr, requestConfig, elt } = event.detail;
    if (new URL(xhr.responseURL || location.href).pathname.startsWith("/sign-in/")) return location.assign("/sign-in/?next=" + encodeURIComponent(location.pathname + location.search));
    if (inBackground(requestConfig.target)) return settle(), refocus(byId(before.id), linkIn(currentRow()));
    const sheet = byId("sheet");
    const posted = requestConfig.verb !== "get";
    const decided = posted && xhr.status >= 200 && xhr.status < 300;
    if (slow.xhr === xhr) waitFor(null);
    if (xhr.status && xhr.status < 500) presses.delete(requestConfig.press);
    if (posted) deciding = false;
    else if (deciding) return;
    if (posted && !decided) for (const row of all(".row[aria-busy]")) row.removeAttribute("aria-busy");
    if (decided) {
      if (sheet.open) sheet.close();
      const words = $("[data-draft]", elt);
      if (words) sessionStorage.removeItem("draft " + words.dataset.draft);
      elt.closest("#disputed [data-conflict]")?.remove();
    } else if (requestConfig.target.id === "sheet-content" && xhr.status < 500 && byId("sheet-content").childElementCount) {
      if (!sheet.open) sheet.showModal();
      $(".errors", sheet)?.focus();
    }
    settle();
    if (posted && wanted && wanted !== shown()) return linkIn(rowOf(wanted))?.click();
    if (decided && shown()) {
      const address = new URL(location.href);
      address.searchParams.set("item", shown());
      history.replaceState(history.state, "", address);
    }
    if (decided) currentRow()?.scrollIntoView({ block: "nearest" });
    if (decided && (document.activeElement.closest(".row") || document.activeElement.matches("[data-region]"))) linkIn(currentRow())?.focus();
    refocus(byId(before.id), linkIn(rowOf(before.row)), linkIn(currentRow()), byId(before.region));
  });

  function refocus(...places) {
    const focus = document.activeElement;
    if (focus !== document.body && focus.checkVisibility()) return;
    [...places, byId("main")].find((place) => place?.checkVisibility())?.focus({ preventScroll: true });
  }
  byId("sheet")?.addEventListener("close", () => refocus(linkIn(currentRow())));

  function settle() {
    if (!byId("queue")) return;
    if (wanted === shown()) wanted = null;
    mark(wanted || shown());
    nameKeys();
    const words = $("[data-draft]");
    if (words && !words.value) words.value = sessionStorage.getItem("draft " + words.dataset.draft) || "";
  }

  document.addEventListener("input", (event) => {
    const { draft, filters } = event.target.dataset;
    if (draft) sessionStorage.setItem("draft " + draft, event.target.value);
    if (filters) {
      const wanted = event.target.value.trim().toLowerCase();
      for (const label of all("label", byId(filters))) label.hidden = !label.textContent.toLowerCase().includes(wanted);
    }
  });

  /* What takes long says so, and can be given up. */
  let slow = {};
  function waitFor(xhr, elt) {
    clearTimeout(slow.timer);
    slow = { xhr, elt, timer: xhr && setTimeout(() => (byId("slow").hidden = false), 3000) };
    byId("slow").hidden = true;
  }
  $("#slow button")?.addEventListener("click", () => {
    const { xhr, elt } = slow, posts = elt.matches("form");
    xhr.abort();
    byId("slow").hidden = true;
    if (posts) complain(elt, "stopped");
    refocus(linkIn(currentRow()));
  });

  /* A request that failed says so where it was made, in the words of the answer. */
  function failed(event) {
    const { elt, xhr, requestConfig } = event.detail;
    wanted = null;
    mark(shown());
    if (event.type !== "htmx:responseError" && requestConfig?.verb !== "get" && window.portal.keep(requestConfig)) return leaveWaiting(elt, requestConfig);
    const answer = new DOMParser().parseFromString(xhr?.response || "", "text/html");
    const conflict = $("[data-conflict]", answer);
    if (conflict) return dispute(conflict);
    complain(elt, "", answer, xhr?.status);
  }

  function complain(elt, why, answer = document.createElement("div"), status = 0) {
    const notice = byId("failed").content.firstElementChild.cloneNode(true);
    const text = $("[data-refusal]", answer)?.textContent;
    if (text) {
      $("[data-title]", notice).textContent = $("h1", answer).textContent + ".";
      $("[data-text]", notice).textContent = text;
    }
    if (why) for (const part of all("[data-stopped]", notice)) part.textContent = part.dataset[why];
    const retry = $("[data-retry]", notice);
    const reload = $("[data-reload]", notice);
    reload.hidden = status !== 409;
    retry.hidden = Boolean(text);
    const leave = () => (notice.remove(), refocus(linkIn(currentRow())));
    retry.addEventListener("click", () => (leave(), elt.requestSubmit ? elt.requestSubmit() : elt.click()));
    reload.addEventListener("click", () => (byId("sheet").close(), leave(), linkIn(rowOf(shown()))?.click()));
    const place = byId("sheet")?.open ? $(".sheet-body") : $(".talk") || byId("main");
    place.prepend(notice);
    notice.focus();
  }
  /* Somebody was quicker: theirs stays with Enter, mine is done all the same with Shift Enter. */
  function dispute(conflict, place) {
    if (!place) $(".talk [data-conflict], .sheet-body [data-conflict]")?.remove();
    (place || (byId("sheet")?.open ? $(".sheet-body") : $(".talk") || byId("main"))).prepend(conflict);
    htmx.process(conflict);
    $("[data-keep]", conflict).addEventListener("click", (event) => {
      const row = linkIn(rowOf(shown()));
      if (row) event.preventDefault();
      byId("sheet").close();
      conflict.remove();
      row?.click();
    });
    conflict.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || (event.target !== conflict && !event.shiftKey)) return;
      event.preventDefault();
      event.shiftKey ? conflict.requestSubmit() : $("[data-keep]", conflict).click();
    });
    conflict.focus();
  }
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(name, failed);

  /* A decision that waits for a connection is done for whoever made it: its words are kept, and the next row is the next one. */
  function leaveWaiting(elt, { formData }) {
    byId("sheet").close();
    const words = byId("compose-text");
    if (words && formData.get("text") === words.value) {
      words.value = "";
      sessionStorage.removeItem("draft " + words.dataset.draft);
    }
    if (elt.id === "bulk") elt.reset();
    if (!elt.matches("[data-decides]")) return refocus(linkIn(currentRow()));
    const row = rowOf(shown());
    byId("item").inert = true;
    (linkIn(row && (neighbour(row, 1) || neighbour(row, -1))) || byId("main")).focus();
  }

  /* For what is sent later: see decisions.js. */
  window.portal = {
    keep: () => false,
    /** Shows what a decision that had waited was answered with when it was not done. */
    object(html) {
      const answer = new DOMParser().parseFromString(html, "text/html"), conflict = $("[data-conflict]", answer);
      if (conflict) return dispute(conflict, byId("disputed"));
      const notice = byId("failed").content.firstElementChild.cloneNode(true);
      $("[data-title]", notice).textContent = ($("h1", answer)?.textContent || "") + ".";
      $("[data-text]", notice).textContent = $("[data-refusal], .error", answer)?.textContent || "";
      for (const button of all("button", notice)) button.remove();
      byId("disputed").prepend(notice);
    },
    /** The list and the open item as they are now, and the notice of what was done last; an item that was decided makes room for the row below. */
    readAnew(html) {
      const toast = $("#toast", new DOMParser().parseFromString(html, "text/html"));
      if (toast) byId("toast").replaceChildren(...toast.childNodes), htmx.process(byId("toast"));
      const row = currentRow(), next = row && byId("item").inert ? neighbour(row, 1) || neighbour(row, -1) : row;
      const address = location.pathname + location.search, opened = next?.dataset.reference;
      htmx.ajax("GET", address, { source: byId("main"), target: byId("queue"), swap: "none" }).then(() => {
        const link = linkIn(rowOf(opened) || $(".row"));
        if (!document.activeElement.closest("textarea, input, #disputed")) link?.focus({ preventScroll: true });
        link?.click();
      });
    },
  };

  /* Words that are put into the reply: data-insert holds them. */
  document.addEventListener("click", (event) => {
    const words = event.target.closest("[data-insert]")?.dataset.insert;
    const text = byId("compose-text");
    if (words === undefined || !text) return;
    byId("sheet").close();
    text.focus();
    text.setRangeText(words, text.selectionStart, text.selectionEnd, "end");
    text.dispatchEvent(new Event("input", { bubbles: true }));
  });

  /* A text to carry elsewhere: data-copies names the element that holds it. */
  for (const button of all("[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(byId(button.dataset.copies).textContent.trim());
      const said = $("[data-copied]", button.parentElement);
      said.textContent = said.dataset.copied;
    });
  }

  settle();
  currentRow()?.scrollIntoView({ block: "nearest" });
  // On a phone the list is read from its top.
  if (document.activeElement === document.body && byId("queue") && matchMedia("(min-width: 721px)").matches) refocus(linkIn(currentRow()));
})();
