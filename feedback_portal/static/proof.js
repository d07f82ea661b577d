/* Solves the challenge of a thank-you page beside it, in a worker, and hands the proof in. */
"use strict";
(() => {
  const notice = document.querySelector("[data-challenge]");
  const worker = new Worker(notice.dataset.worker);
  const show = (part) => {
    for (const each of ["working", "proved", "unproved"]) {
      const words = notice.querySelector(`[data-${each}]`);
      words.hidden = each !== part;
      words.classList.remove("no-js");
    }
  };
  worker.onerror = () => show("unproved");
  worker.onmessage = async ({ data }) => {
    worker.terminate();
    try {
      const answer = await fetch(notice.dataset.proof, { method: "POST", body: new URLSearchParams({ proof: data }) });
      show(answer.ok ? "proved" : "unproved");
    } catch {
      show("unproved");
    }
  };
  worker.postMessage(JSON.parse(notice.dataset.challenge));
})();
