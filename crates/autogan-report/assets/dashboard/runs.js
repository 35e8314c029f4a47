// The list of runs.

import { runs } from "./api.js";
import { h, replace, fixed, duration, date, whole, DASH } from "./dom.js";

/** The first page. */
export function runsView() {
  const picked = new Set();
  const head = h("div.head", {}, h("h1", {}, "Runs"), h("p.sub"));
  const compare = h("a.button", { href: "#/compare", "aria-disabled": "true" }, "Compare two runs");
  head.append(compare);
  const body = h("div.runs");
  const element = h("section", {}, head, body);
  let last = "";

  function pick(name, on) {
    if (on) picked.add(name); else picked.delete(name);
    if (picked.size > 2) picked.delete(picked.values().next().value);
    for (const box of body.querySelectorAll("input[type=checkbox]")) box.checked = picked.has(box.value);
    const ready = picked.size === 2;
    compare.setAttribute("aria-disabled", String(!ready));
    compare.href = ready ? `#/compare/${[...picked].map(encodeURIComponent).join("/")}` : "#/compare";
    compare.textContent = ready ? "Compare the two" : "Compare two runs";
  }

  return {
    element,
    async update() {
      const list = await runs();
      const text = JSON.stringify(list);
      if (text !== last) {
        last = text;
        const focused = document.activeElement?.dataset?.run;
        head.querySelector(".sub").textContent = list.directory;
        replace(body, list.runs.length ? table(list.runs, picked, pick) : nothing(list.directory));
        if (focused) body.querySelector(`[data-run="${CSS.escape(focused)}"]`)?.focus();
      }
      return list.runs.some((run) => run.summary?.status.state === "running");
    },
  };
}

function nothing(directory) {
  return h("p.notice", {}, `There are no runs in ${directory} yet. Start one with `,
    h("code", {}, "autogan search"), "; it appears here by itself.");
}

const COLUMNS = ["", "Run", "Status", "Progress", "Best child", "Score", "Trials", "Time", "Started"];

function table(list, picked, pick) {
  return h("table.list", {},
    h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col" }, name || h("span.hidden", {}, "Compare"))))),
    h("tbody", {}, list.map((run) => row(run, picked, pick))));
}

function row(run, picked, pick) {
  const { name, summary, problems } = run;
  const link = h("a.name", { href: `#/run/${encodeURIComponent(name)}`, "data-run": name }, name);
  if (!summary) {
    return h("tr.broken", {}, h("td"), h("td", { "data-label": "Run" }, h("span.name", {}, name)),
      h("td", { "data-label": "Status" }, chip("refused")), h("td.problem", { colspan: 6 }, problems.join("; ")));
  }
  const box = h("input", {
    type: "checkbox", value: name, "aria-label": `Pick ${name} to compare`,
    onchange: (event) => pick(name, event.target.checked),
  });
  box.checked = picked.has(name);
  const about = [summary.preset, summary.dataset, summary.seed === null ? null : `seed ${summary.seed}`];
  const cells = [
    ["", box],
    ["Run", [link, h("span.about", {}, about.filter((part) => part !== null).join(" \u00b7 ")), faults(problems)]],
    ["Status", [chip(problems.length ? "damaged" : summary.status.state), holder(summary)]],
    ["Progress", progress(summary)],
    ["Best child", best(summary)],
    ["Score", summary.score ? fixed(summary.score.best) : summary.trained ? fixed(summary.trained.best.is) : DASH],
    ["Trials", whole(summary.trials)],
    ["Time", duration(summary.seconds)],
    ["Started", date(summary.created_ms)],
  ];
  const number = ["Best child", "Score", "Trials", "Time", "Started"];
  return h("tr", {}, cells.map(([label, content]) =>
    h(number.includes(label) ? "td.number" : "td", { "data-label": label }, content)));
}

/** What is wrong with a run, folded. */
function faults(problems) {
  if (!problems.length) return null;
  const title = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  return h("details.problem", {}, h("summary", {}, title), problems.map((text) => h("p", {}, text)));
}

function holder(summary) {
  const { state, holder } = summary.status;
  return state === "running" ? h("span.about", {}, holder) : null;
}

/** A run's state in a word and a mark. */
export function chip(state) {
  return h(`span.chip.${state}`, {}, state);
}

function best(summary) {
  if (!summary.best) return DASH;
  return [fixed(summary.best.score), h("span.about", {}, `stage ${summary.best.stage + 1}`)];
}

/** Iterations that are done, as a bar. */
export function progress(summary) {
  const { iterations_done: done, iterations: all } = summary;
  const text = all ? `${done} / ${all}` : String(done);
  return h("span.progress", {},
    all ? h("progress", { value: Math.min(done, all), max: all, "aria-label": "Iterations" }) : null,
    h("span", {}, text));
}
