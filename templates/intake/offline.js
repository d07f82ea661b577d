{% load static %}/* The service worker of forms and kiosks: a page that was opened once opens again without a network, and what was sent without one
   is kept by outbox.js and sent once when it is back. Everything comes from the network while there is one. */
"use strict";
importScripts("{% static 'outbox.js' %}");
const CACHE = "pages";
const MOST = 60;

addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("sync", (event) => event.waitUntil(outbox.flush()));

// The page that brought this worker here was loaded without it, so it names itself and what it is drawn with.
addEventListener("message", (event) => {
  if (Array.isArray(event.data?.keep)) event.waitUntil(Promise.all(event.data.keep.filter(isOurs).map((url) => fetch(url).then((answer) => keep(url, answer), () => {}))));
});

addEventListener("fetch", (event) => {
  const { request } = event;
  if (!isOurs(request.url)) return;
  if (request.method === "GET") event.respondWith(fetched(event));
  else if (request.mode === "navigate" && isPage(request.url)) event.respondWith(posted(request));
});

const isPage = (url) => /^\/(f|k)\/[-\w]+\/$/.test(new URL(url).pathname);
const isOurs = (url) => new URL(url).origin === location.origin && (isPage(url) || new URL(url).pathname.startsWith("{% static '' %}"));

async function fetched(event) {
  const { request } = event;
  try {
    const answer = await fetch(request);
    event.waitUntil(keep(request.url, answer.clone()).catch(() => {}));
    return answer;
  } catch (away) {
    const kept = (await caches.match(request.url)) || (await caches.match(request.url.replace(/[?#].*/, ""))) || (isPage(request.url) && (await caches.match(request.url, { ignoreSearch: true })));
    if (kept) return kept;
    throw away;
  }
}

// The page put what it sends into the outbox first, so nothing is lost when it does not get through.
async function posted(request) {
  try {
    return await fetch(request);
  } catch {
    return Response.redirect(request.url.replace(/#.*/, "") + "#saved", 303);
  }
}

async function keep(url, answer) {
  const cache = await caches.open(CACHE);
  if ([404, 410].includes(answer.status)) return cache.delete(url);
  if (!answer.ok || answer.redirected) return;
  await cache.put(url, answer);
  const keys = await cache.keys();
  await Promise.all(keys.slice(0, Math.max(0, keys.length - MOST)).map((old) => cache.delete(old)));
}
