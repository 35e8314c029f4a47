// The page's frame: which view is shown, and asking again while it is.

import { h, replace, DASH } from "./dom.js";
import { runsView } from "./runs.js";
import { runView } from "./run.js";
import { compareView } from "./compare.js";
import { openInspector, closeInspector } from "./inspect.js";

/** Milliseconds between two looks at something that changes, and at something that is over. */
const SOON = 2000;
const LATER = 10000;

const main = document.getElementById("main");
const crumbs = document.getElementById("crumbs");
const pulse = document.getElementById("pulse");

let view = null;
let timer = null;
let turn = 0;

/** The view that the address after `#` names. */
function route() {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  if (parts[0] === "run" && parts[1]) {
    const page = parts[2] ?? "overview";
    return {
      make: () => runView(parts[1], page),
      names: [[parts[1], `#/run/${encodeURIComponent(parts[1])}`]],
      vector: page === "trials" ? parts[3] : undefined,
      run: parts[1],
    };
  }
  if (parts[0] === "compare") {
    return { make: () => compareView(parts[1], parts[2]), names: [["Compare", "#/compare"]] };
  }
  return { make: () => runsView(), names: [] };
}

async function show() {
  clearTimeout(timer);
  const mine = ++turn;
  closeInspector();
  view?.destroy?.();
  const { make, names, vector, run } = route();
  replace(crumbs, ...names.map(([text, href]) => h("a", { href }, text)));
  document.title = [...names.map(([text]) => text), "AutoGAN"].join(" \u00b7 ");
  view = make();
  replace(main, view.element);
  await look(mine);
  if (vector && mine === turn) openInspector(run, vector);
}

async function look(mine) {
  let wait = LATER;
  try {
    const live = await view.update();
    if (mine !== turn) return;
    wait = live ? SOON : LATER;
    say(live ? "live" : "idle", live ? "Live" : "Up to date");
  } catch (error) {
    if (mine !== turn) return;
    wait = SOON;
    const lost = error instanceof TypeError;
    say("lost", lost ? "No answer: is the dashboard still running?" : error.message);
    if (!lost && !main.querySelector(".notice.fatal")) {
      main.prepend(h("p.notice.fatal", { role: "alert" }, error.message));
    }
  }
  timer = setTimeout(() => again(mine), document.hidden ? LATER : wait);
}

function again(mine) {
  if (mine === turn && !document.hidden) look(mine);
  else if (mine === turn) timer = setTimeout(() => again(mine), LATER);
}

function say(state, text) {
  pulse.className = `pulse ${state}`;
  if (pulse.textContent !== text) pulse.textContent = text || DASH;
}

window.addEventListener("hashchange", () => { show().then(() => main.focus({ preventScroll: true })); });
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) { clearTimeout(timer); look(turn); }
});
show();
