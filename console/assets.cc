// The style sheet and the script of the console's pages, whole: nothing is fetched from elsewhere.
#include "console/html.h"

namespace relais::console {

const std::string_view style_sheet = R"css(:root {
  color-scheme: light dark;
  --ground: #fbfbf9; --text: #1b1f23; --faint: #5d6670; --line: #d7dade; --panel: #ffffff;
  --accent: #0b5cad; --good: #1a7f37; --look: #8a5a00; --bad: #b3261e; --other: #7a4fbf;
}
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171a; --text: #e6e8ea; --faint: #9aa4ae; --line: #333a41; --panel: #1c2126;
    --accent: #6cb2ff; --good: #57c278; --look: #e3b341; --bad: #ff7b72; --other: #c29bff; }
}
* { box-sizing: border-box; }
body { margin: 0; font: 16px/1.5 system-ui, sans-serif; background: var(--ground); color: var(--text); }
header { display: flex; flex-wrap: wrap; gap: .4rem 1rem; align-items: center; padding: .5rem 1rem;
  border-bottom: 1px solid var(--line); background: var(--panel); }
.name { letter-spacing: .04em; }
nav ul { display: flex; flex-wrap: wrap; gap: .1rem .2rem; list-style: none; margin: 0; padding: 0; }
nav a { display: block; padding: .3rem .6rem; border-radius: .3rem; text-decoration: none; color: inherit; }
nav a:hover { background: var(--line); }
nav a[aria-current] { background: var(--accent); color: var(--panel); }
header form { display: flex; gap: .4rem; align-items: center; }
.out { margin-left: auto; }
main { padding: 1rem; max-width: 80rem; margin: 0 auto; }
main:focus { outline: none; }
h1 { font-size: 1.5rem; margin: .2rem 0 .8rem; }
h2, caption { font-size: 1.1rem; font-weight: 600; text-align: left; margin: 1rem 0 .4rem; padding: .2rem 0; }
a { color: var(--accent); }
a:focus-visible, button:focus-visible, input:focus-visible, select:focus-visible {
  outline: 3px solid var(--accent); outline-offset: 1px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { left: .5rem; top: .5rem; background: var(--panel); padding: .4rem; z-index: 1; }
input, select, button { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--faint);
  border-radius: .3rem; padding: .25rem .5rem; max-width: 100%; }
button { cursor: pointer; }
button.bad { border-color: var(--bad); color: var(--bad); }
label { display: inline-flex; gap: .4rem; align-items: center; flex-wrap: wrap; }
.form { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: end; margin: .6rem 0; }
.acts { display: flex; flex-wrap: wrap; gap: .5rem; margin: .6rem 0; position: sticky; bottom: 0;
  padding: .5rem 0; background: var(--ground); }
.table { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0; border-top: 1px solid var(--line);
  overflow-wrap: anywhere; }
thead th { color: var(--faint); font-weight: 500; border-top: 0; white-space: nowrap; }
tbody th { font-weight: 500; }
.number { font-variant-numeric: tabular-nums; }
.none, .faint, small { color: var(--faint); }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--panel); border: 1px solid var(--line);
  padding: .6rem; border-radius: .3rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .8rem; }
.card { background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem; }
.card b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1rem; }
figure { margin: 0; background: var(--panel); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem; }
figcaption { font-weight: 600; }
svg { width: 100%; height: auto; display: block; }
svg text { fill: var(--faint); font-size: 11px; }
.axis { stroke: var(--line); }
.a { fill: var(--accent); } .b { fill: var(--good); } .c { fill: var(--look); } .d { fill: var(--bad); }
.key span { margin-right: 1rem; } .key i { display: inline-block; width: .7em; height: .7em; margin-right: .3em; }
i.a { background: var(--accent); } i.b { background: var(--good); } i.c { background: var(--look); }
i.d { background: var(--bad); }
.well { border-left: .4rem solid var(--good); padding-left: .8rem; }
.look { border-left: .4rem solid var(--look); padding-left: .8rem; }
.bad-news { border-left: .4rem solid var(--bad); padding-left: .8rem; }
.findings li { margin: .2rem 0; }
.findings .remedy { list-style: none; color: var(--faint); }
.cards, .plots { margin: 1rem 0; }
.good { color: var(--good); } .warn { color: var(--look); } .wrong { color: var(--bad); }
.life { list-style: none; margin: 0; padding: 0 0 0 .5rem; border-left: 3px solid var(--line); }
.life li { position: relative; padding: .2rem 0 .4rem 1rem; overflow-wrap: anywhere; }
.life li::before { content: ""; position: absolute; left: -.95rem; top: .7rem; width: .7rem; height: .7rem;
  border-radius: 50%; background: var(--accent); }
.life li.good::before { background: var(--good); } .life li.warn::before { background: var(--look); }
.life li.wrong::before { background: var(--bad); }
.life li { color: inherit; }
.life .child { margin-left: 1.5rem; }
.life time { color: var(--faint); font-variant-numeric: tabular-nums; margin-right: .6rem; }
.notice { border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem; background: var(--panel); }
.login { max-width: 22rem; } .login label { display: block; margin: .6rem 0; } .login input { width: 100%; }
#state { position: fixed; right: .6rem; bottom: .2rem; margin: 0; color: var(--faint); font-size: .85rem; }
@media (max-width: 40rem) {
  .out { margin-left: 0; }
  table, tbody, tr, th, td, caption { display: block; }
  thead { position: absolute; left: -100vw; }
  tbody tr { border-top: 2px solid var(--line); padding: .4rem 0; }
  tbody th, td { border: 0; padding: .1rem 0; }
  td[data-head]:not([data-head=""])::before { content: attr(data-head) ": "; color: var(--faint); }
}
@media (prefers-reduced-motion: no-preference) { nav a { transition: background .15s; } }
)css";

const std::string_view live_script = R"js("use strict";
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
      const answer = await fetch(location.href, {headers: {"X-Relais-Live": "1"}, cache: "no-store", redirect: "error"});
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
      if (fresh && !busy()) main.replaceChildren(...fresh.childNodes);
      state.textContent = "";
    } catch (trouble) {
      state.textContent = "not renewed: load the page anew";
    }
  };
  setInterval(renew, seconds * 1000);
})();
)js";

}  // namespace relais::console
