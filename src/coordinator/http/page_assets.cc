// The style sheet and the script of the pages, as they are served.
#include "coordinator/http/pages.h"

namespace coxswain::coordinator::http {

const char kStyle[] = R"css(:root {
  --back: #f6f7f9; --card: #fff; --ink: #1c2127; --dim: #5f6b7a; --line: #dfe3e8; --accent: #1f6feb;
  --good: #17794a; --good-back: #dff3e8; --warn: #8a5a00; --warn-back: #fdf0d0; --bad: #b3261e;
  --bad-back: #fce4e2; --calm: #40516b; --calm-back: #e7ecf3; --blue-back: #dfebff;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #12161b; --card: #1a2027; --ink: #e4e8ee; --dim: #98a4b3; --line: #2c343e; --accent: #6ea8ff;
    --good: #6fd39d; --good-back: #17392a; --warn: #f0c060; --warn-back: #40331a; --bad: #ff9b93;
    --bad-back: #4a2220; --calm: #b3c1d6; --calm-back: #2a3442; --blue-back: #1c3358;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
a { color: var(--accent); text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
header { display: flex; align-items: center; gap: 1.2rem; padding: .6rem 1.2rem; background: var(--card);
  border-bottom: 1px solid var(--line); position: sticky; top: 0; z-index: 1; }
.brand { font-weight: 700; color: var(--ink); }
nav { display: flex; gap: 1rem; flex-wrap: wrap; }
nav a { color: var(--dim); padding: .15rem 0; border-bottom: 2px solid transparent; }
nav a[aria-current] { color: var(--ink); border-color: var(--accent); }
.pages { margin: 1rem 0; gap: .6rem; align-items: baseline; }
.find { display: flex; gap: .6rem; align-items: center; flex-wrap: wrap; }
.find input { font: inherit; color: inherit; background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: .25rem .6rem; }
.find button { font: inherit; color: var(--ink); background: var(--card); border: 1px solid var(--line);
  border-radius: 6px; padding: .25rem .8rem; }
#live { margin-left: auto; color: var(--dim); font-size: .85rem; white-space: nowrap; }
body.stale #live { color: var(--bad); font-weight: 600; }
main { max-width: 68rem; margin: 0 auto; padding: 1rem 1.2rem 2rem; }
main:has(.broad) { max-width: 92rem; }
footer { color: var(--dim); font-size: .85rem; margin-top: 1.5rem; overflow-wrap: anywhere; }
h1 { font-size: 1.25rem; margin: .2rem 0 .8rem; }
h2 { font-size: 1rem; margin: 0 0 .6rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1rem;
  margin-top: 1rem; }
section.trouble { border-left: 4px solid var(--bad); }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.dim { color: var(--dim); font-weight: 400; }
.banner { margin: 0 0 .6rem; padding: .6rem .9rem; border-radius: 8px; overflow-wrap: anywhere; }
.banner.bad { background: var(--bad-back); color: var(--bad); }
.banner.warn { background: var(--warn-back); color: var(--warn); }
ul, ol { list-style: none; margin: 0; padding: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .7rem; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem;
  color: var(--dim); font-size: .85rem; }
.tiles b { display: block; font-size: 1.45rem; line-height: 1.25; color: var(--ink); font-weight: 650;
  font-variant-numeric: tabular-nums; }
.tiles .bad b { color: var(--bad); }
.tiles .warn b { color: var(--warn); }
.items > li + li { border-top: 1px solid var(--line); margin-top: .65rem; padding-top: .65rem; }
.items.tight > li + li { margin-top: .35rem; padding-top: .35rem; }
.line { display: flex; flex-wrap: wrap; align-items: baseline; gap: .2rem .6rem; }
.title { font-weight: 600; overflow-wrap: anywhere; min-width: 0; margin: 0; }
.side { margin-left: auto; color: var(--dim); font-size: .88rem; }
.why { margin: .2rem 0 0; color: var(--dim); overflow-wrap: anywhere; white-space: pre-line; }
.trouble .why { color: var(--ink); }
.badge { display: inline-block; border-radius: 5px; padding: .05rem .45rem; font-size: .72rem; font-weight: 650;
  letter-spacing: .02em; background: var(--calm-back); color: var(--calm); }
.badge.running, .badge.open { background: var(--blue-back); color: var(--accent); }
.badge.completed, .badge.ready, .badge.verified, .badge.committed { background: var(--good-back); color: var(--good); }
.badge.recovering, .badge.cordoned, .badge.draining, .badge.preempted, .badge.timeout { background: var(--warn-back); color: var(--warn); }
.badge.failed, .badge.node_fail, .badge.out_of_memory, .badge.unreachable, .badge.corrupt {
  background: var(--bad-back); color: var(--bad); }
.progress { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.1rem; margin-top: .35rem;
  color: var(--dim); font-size: .9rem; font-variant-numeric: tabular-nums; }
.progress b { color: var(--ink); font-weight: 600; }
progress { appearance: none; -webkit-appearance: none; width: 100%; height: 7px; border: 0; border-radius: 4px;
  background: var(--calm-back); overflow: hidden; color: var(--accent); display: block; margin: .3rem 0; }
.progress progress { flex: 1 0 100%; margin: 0; }
progress::-webkit-progress-bar { background: var(--calm-back); }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .3rem 1.5rem; margin: .7rem 0 0; }
dl > div { display: flex; gap: .6rem; }
dt { color: var(--dim); flex: 0 0 6.2rem; overflow-wrap: anywhere; }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem; }
.chart { margin: 0; min-width: 0; }
.chart > div { display: flex; }
.chart .values { flex: none; }
.chart .plot { flex: 1; min-width: 0; overflow: visible; }
.chart svg { display: block; }
.chart .grid { stroke: var(--line); }
.chart text { fill: var(--dim); font-size: 12px; font-variant-numeric: tabular-nums; }
.chart figcaption { font-size: .88rem; margin-bottom: .3rem; }
.key { margin-right: 1rem; white-space: nowrap; }
.key::before { content: ""; display: inline-block; width: .6rem; height: .6rem; border-radius: 50%; margin-right: .35rem;
  background: var(--accent); }
.key.two::before { background: var(--warn); }
.key.three::before { background: var(--good); }
.curve { fill: none; stroke-width: 1.8; stroke-linejoin: round; vector-effect: non-scaling-stroke; }
.curve.one { stroke: var(--accent); } .dot.one { fill: var(--accent); }
.curve.two { stroke: var(--warn); } .dot.two { fill: var(--warn); }
.curve.three { stroke: var(--good); } .dot.three { fill: var(--good); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th { text-align: left; color: var(--dim); font-weight: 500; }
th, td { padding: .3rem .9rem .3rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
tr:last-child td { border-bottom: 0; }
td time { white-space: nowrap; }
td code { display: inline-block; min-width: 12rem; }
td.num { font-variant-numeric: tabular-nums; white-space: nowrap; }
code, pre { font: 13px/1.45 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
code { overflow-wrap: anywhere; }
pre { background: var(--back); border: 1px solid var(--line); border-radius: 6px; padding: .6rem .8rem; overflow-x: auto;
  max-height: 24rem; margin: .5rem 0 0; }
summary { cursor: pointer; font-weight: 600; }
.items details { margin-top: .3rem; }
.items summary { font-weight: 400; color: var(--dim); }
.items .items { margin: .5rem 0 0; padding-left: .8rem; border-left: 2px solid var(--line); }
section:target { border-color: var(--accent); }
section[id] { scroll-margin-top: 4rem; }
.events li { display: flex; gap: .8rem; padding: .18rem 0; font-size: .9rem; }
.events .when { flex: 0 0 7.2rem; color: var(--dim); font-variant-numeric: tabular-nums; }
.events .what { overflow-wrap: anywhere; min-width: 0; }
.events .what b { font-weight: 600; }
.events .warning b { color: var(--warn); }
.events .error b { color: var(--bad); }
@media (max-width: 36rem) {
  header { padding: .5rem .8rem; gap: .2rem .8rem; flex-wrap: wrap; }
  main { padding: .8rem .8rem 2rem; }
  section { padding: .75rem .8rem; }
  .tiles { grid-template-columns: repeat(3, 1fr); gap: .45rem; }
  .tiles li { padding: .45rem .55rem; font-size: .78rem; }
  .tiles b { font-size: 1.15rem; }
  .side { margin-left: 0; flex-basis: 100%; }
  .events li { flex-direction: column; gap: 0; padding: .3rem 0; }
  .events .when { flex: none; font-size: .8rem; }
  .stack thead { display: none; }
  .stack tr { display: block; padding: .45rem 0; border-bottom: 1px solid var(--line); }
  .stack tr:last-child { border-bottom: 0; }
  .stack td { display: flex; gap: .2rem .6rem; padding: .1rem 0; border: 0; white-space: normal; }
  .stack td > div { flex: 1; min-width: 0; overflow-wrap: anywhere; }
  .stack code { min-width: 0; }
  .stack td::before { content: attr(data-label); color: var(--dim); flex: 0 0 6.2rem; }
}
)css";

const char kRefreshScript[] = R"js('use strict';
(() => {
  const every = 3000;
  let busy = false;
  async function refresh() {
    if (busy || document.hidden || !getSelection().isCollapsed) return;
    busy = true;
    try {
      const answer = await fetch(location.href, {cache: 'no-store', signal: AbortSignal.timeout(10000)});
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const open of document.querySelectorAll('details[open][id]')) {
        page.getElementById(open.id)?.setAttribute('open', '');
      }
      document.title = page.title;
      for (const part of ['main', '#live']) {
        const fresh = page.querySelector(part), old = document.querySelector(part);
        if (fresh && old && fresh.innerHTML !== old.innerHTML) old.replaceWith(fresh);
      }
      document.body.classList.remove('stale');
    } catch (error) {
      document.body.classList.add('stale');
      const live = document.getElementById('live');
      if (!live.textContent.startsWith('no answer')) live.textContent = 'no answer, ' + live.textContent;
    }
    busy = false;
  }
  setInterval(refresh, every);
  document.addEventListener('visibilitychange', refresh);
})();
)js";

}  // namespace coxswain::coordinator::http
