"use strict";
// Pages renew themselves where they say how often; nobody's marks, words or place are lost by it.
(() => {
  const main = document.getElementById("main");
  const state = document.getElementById("state");
  const seconds = main ? Number(main.dataset.live) : 0;
  for (const all of document.querySelectorAll("[data-all]")) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const each of main.querySelectorAll("input[name=id]")) each.checked = all.checked;
    });
  }
  if (!seconds) return;
  const busy = () => document.hidden || main.querySelector("input:checked") !== null ||
    (main.contains(document.activeElement) && document.activeElement !== main) ||
    String(document.getSelection()) !== "";
  const renew = async () => {
    if (busy()) return;
    try {
      const answer = await fetch(location.href, {headers: {"X-Relais-Live": "1"},
        cache: "no-store", redirect: "error"});
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
      if (fresh && !busy()) main.replaceChildren(...fresh.childNodes);
      state.textContent = "";
    } catch (trouble) {
      state.textContent = "not renewed: load the page anew";
    }
  };
  // The server says when something has changed; where it says nothing, the page asks now and then.
  let timer = 0;
  const poll = () => { timer = timer || setInterval(renew, seconds * 1000); };
  if (!window.EventSource) return poll();
  let events = null;
  const listen = () => {
    events = new EventSource("/events");
    events.onopen = () => { clearInterval(timer); timer = 0; };
    events.onmessage = renew;
    events.onerror = poll;
  };
  // A browser has six connections to a server: a page that nobody sees holds none.
  const look = () => {
    if (!document.hidden) { renew(); return listen(); }
    if (events) events.close();
    clearInterval(timer);
    timer = 0;
  };
  document.addEventListener("visibilitychange", look);
  if (!document.hidden) listen();
})();
