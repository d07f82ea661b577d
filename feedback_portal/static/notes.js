/* Notes during a visit or a call: kept on the device first, sent once when there is a network. */
"use strict";
(() => {
  const form = document.getElementById("notes");
  const state = document.getElementById("notes-state");
  const written = document.getElementById("notes-written");
  const page = location.pathname;
  const said = (name) => form.elements.namedItem(name);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const id = outbox.newId();
    const words = said("text").value;
    const fields = [["token", said("token").value], ["event", id], ["speaker", said("speaker").value], ["text", words]];
    // At once: a second press is not a second note, and what is typed while this one is being kept is the next one.
    said("text").value = "";
    if (!(await outbox.keep({ id, page, url: form.action, at: Date.now(), quiet: true, fields }))) {
      said("text").value = [words, said("text").value].filter(Boolean).join("\n\n");
      state.textContent = state.dataset.full;
      return;
    }
    const line = document.createElement("li");
    line.dir = "auto";
    line.textContent = words;
    document.getElementById("notes-none").hidden = true;
    written.prepend(line);
    said("text").focus();
    await send();
  });

  async function send() {
    const before = await outbox.waiting().catch(() => []);
    const came = await outbox.flush().catch(() => []);
    const refused = (came || []).find((each) => each.refused !== undefined);
    // What was not taken stands in the field again, so that nobody's words are lost.
    const back = (came || []).filter((each) => each.refused !== undefined).map((each) => before.find((entry) => entry.id === each.id && entry.page === page));
    const words = back.filter(Boolean).map((entry) => Object.fromEntries(entry.fields).text);
    if (words.length) said("text").value = [...words, said("text").value].filter(Boolean).join("\n\n");
    const left = (await outbox.waiting().catch(() => [])).filter((entry) => entry.page === page).length;
    state.textContent = refused ? refused.refused : left ? state.dataset.kept.replace("{count}", left) : written.children.length ? state.dataset.sent : "";
  }

  addEventListener("online", send);
  setInterval(send, 30_000);
  send();
})();
