/* The weekly audit by keyboard: digits choose in the group that has the focus, Enter goes on and saves at the end. */
"use strict";
(() => {
  const form = document.querySelector("[data-audit]");
  if (!form) return;
  const groups = [...form.querySelectorAll("fieldset")];
  const options = (group) => [...group.querySelectorAll(".audit-option")].filter((option) => !option.hidden);
  const chooser = (option) => option.querySelector("input");
  const find = document.getElementById("audit-find");
  const singleKeys = document.getElementById("single-keys");

  // A group of radio buttons is entered at the chosen one, as by Tab.
  function enter(group) {
    const inputs = options(group).map(chooser);
    (inputs.find((input) => input.type === "radio" && input.checked) || inputs[0])?.focus();
  }

  function here() {
    return groups.find((group) => group.contains(document.activeElement)) || groups[0];
  }

  document.addEventListener("keydown", (event) => {
    const { key, target } = event;
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "Enter") {
      if (target.matches("button, a, summary")) return;
      event.preventDefault();
      const next = groups[groups.indexOf(here()) + 1];
      if (document.activeElement === document.body) enter(groups[0]);
      else if (next) enter(next);
      else form.requestSubmit(document.getElementById("audit-save"));
      return;
    }
    if (target === find ? key !== "Escape" : singleKeys && !singleKeys.checked) return;
    if (key === "/" && find && !find.parentElement.hidden) {
      event.preventDefault();
      find.focus();
    } else if (key === "Escape" && target === find) {
      enter(groups[0]);
    } else if (/^[1-9]$/.test(key)) {
      const chosen = options(here())[key - 1];
      if (!chosen) return;
      event.preventDefault();
      chooser(chosen).click();
      chooser(chosen).focus();
    }
  });

  if (find && options(groups[0]).length > 9) {
    const all = options(groups[0]);
    find.parentElement.hidden = false;
    find.addEventListener("input", () => {
      const wanted = find.value.trim().toLocaleLowerCase();
      for (const option of all) {
        option.hidden = !option.textContent.toLocaleLowerCase().includes(wanted) && !chooser(option).checked;
      }
      all.forEach((option) => (option.querySelector("kbd").textContent = ""));
      options(groups[0]).slice(0, 9).forEach((option, place) => (option.querySelector("kbd").textContent = place + 1));
    });
  }

  const errors = form.querySelector(".errors");
  if (errors) errors.focus();
  else if (groups.length) enter(groups[0]);
})();
