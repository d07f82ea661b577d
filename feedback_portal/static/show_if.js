/* Shows the questions of a form that the answers so far call for. Without it all of them are shown, each with the words that say
   when it is meant. The server decides again, by the same rules (intake/show_if.py): what is hidden here is dropped there. */
"use strict";
(() => {
  const holds = {
    is: (said, value) => said.includes(value),
    is_not: (said, value) => !said.includes(value),
    at_most: (said, value) => compared(said, value, (left, right) => left <= right),
    at_least: (said, value) => compared(said, value, (left, right) => left >= right),
    is_answered: () => true,
  };
  const number = (text) => (/^\d{1,3}$/.test(text) ? Number(text) : NaN);
  const compared = (said, value, test) => test(number(said.at(-1)), number(value));

  function said(place) {
    const answers = [];
    for (const field of place.querySelectorAll("input, textarea, select")) {
      if (field.type === "file") answers.push(...[...field.files].map((file) => file.name || "file"));
      else if (field.matches("[type=radio], [type=checkbox]") ? field.checked : true) answers.push(field.value);
    }
    return answers.filter((answer) => answer.trim());
  }

  function meets(condition, seen) {
    const answers = seen.get(condition.question) || [];
    return answers.length > 0 && holds[condition.op](answers, condition.value || "");
  }

  // In the order of the form: what is not asked has no answer that a later question could see.
  function decide(form) {
    const seen = new Map();
    for (const place of form.querySelectorAll("[data-question]")) {
      if (place.dataset.showIf) {
        const rule = JSON.parse(place.dataset.showIf);
        const wanted = rule.any ? rule.any.some((each) => meets(each, seen)) : (rule.all || [rule]).every((each) => meets(each, seen));
        place.hidden = !wanted;
        if (!wanted) continue;
      }
      seen.set(place.dataset.question, said(place));
    }
  }

  const all = () => document.querySelectorAll("form:has([data-show-if])").forEach(decide);
  for (const name of ["input", "change"]) document.addEventListener(name, (event) => {
    const form = event.target.closest?.("form");
    if (form) decide(form);
    else all();
  });
  addEventListener("pageshow", all);
  all();
})();
