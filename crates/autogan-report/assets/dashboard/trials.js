// The trials of a run: filters, parallel coordinates and a table over the same rows.

import { h, replace, fixed, whole } from "./dom.js";
import { Parallel } from "./parallel.js";
import { Table } from "./table.js";

/** All kinds of trials: the names of `TrialKind`. */
const KINDS = ["controller", "candidate", "derive", "random", "drawn", "trained", "shared"];

/** What the filters let through; `choices[token]` is a set of choices, or undefined for all. */
function allFilter() {
  return { stage: null, kinds: new Set(KINDS), choices: [], score: null, text: "", once: false };
}

/** Filters, parallel coordinates, table. */
export function trialsPart(name) {
  const filter = allFilter();
  let data = null;
  let touched = false;
  const stages = h("div.segments", { role: "group", "aria-label": "Stage" });
  const kinds = h("div.segments", { role: "group", "aria-label": "Kind of trial" }, KINDS.map((kind) =>
    toggle(kind, true, (on) => { if (on) filter.kinds.add(kind); else filter.kinds.delete(kind); render(); })));
  const text = h("input", {
    type: "search", placeholder: "Find, as pre-batch or 1 0 1 1", "aria-label": "Find architectures", spellcheck: "false",
    oninput: (event) => { filter.text = event.target.value.trim().toLowerCase(); render(); },
  });
  const once = h("label.check", {}, h("input", {
    type: "checkbox", onchange: (event) => { filter.once = event.target.checked; render(); },
  }), "each architecture once");
  const count = h("p.count", { role: "status" });
  const clear = h("button.button", { type: "button", onclick: reset }, "Clear the filters");
  const parallel = new Parallel(filter, render);
  const table = new Table(name);
  const element = h("div.trials", {},
    h("div.filters", {}, stages, kinds, text, once),
    h("section.card.parallel-card", {}, h("h2", {}, "Choices and scores",
      h("span.note", {}, "each line is a trial, coloured by its score; drag along an axis or press a choice to keep only those")),
    parallel.element),
    h("div.summary", {}, count, clear),
    table.element);

  function reset() {
    const { stage } = filter;
    Object.assign(filter, allFilter(), { stage });
    text.value = "";
    once.querySelector("input").checked = false;
    for (const button of kinds.children) button.setAttribute("aria-pressed", "true");
    render();
  }

  function pickStages() {
    const all = data.stages.map((stage) => stage.stage);
    if (!touched) filter.stage = all.at(-1) ?? null;
    const entry = (value, label) => h("button", {
      type: "button", "aria-pressed": String(filter.stage === value),
      onclick: () => { touched = true; filter.stage = value; filter.choices = []; filter.score = null; pickStages(); render(); },
    }, label);
    const had = [...stages.children].indexOf(document.activeElement);
    replace(stages, ...all.map((stage) => entry(stage, `Stage ${stage + 1}`)), entry(null, "All stages"));
    if (had >= 0) stages.children[had]?.focus();
  }

  function render() {
    if (!data) return;
    const base = narrowed(data.trials, filter);
    const kept = base.filter((trial) => brushed(trial, filter));
    parallel.set(data.tokens, base, kept);
    table.set(kept);
    const scores = kept.map((trial) => trial.score).filter((score) => score !== null).sort((a, b) => a - b);
    const middle = scores.length ? `; score median ${fixed(scores[scores.length >> 1])}, best ${fixed(scores.at(-1))}` : "";
    count.textContent = `${whole(kept.length)} of ${whole(data.trials.length)} trials${middle}`;
    const plain = !filter.text && !filter.once && !filter.score && filter.kinds.size === KINDS.length && !filter.choices.some(Boolean);
    clear.disabled = plain;
  }

  return {
    element,
    update(fresh) { data = fresh; pickStages(); render(); },
    destroy() { parallel.destroy(); },
  };
}

function toggle(label, on, change) {
  const button = h("button", {
    type: "button", "aria-pressed": String(on),
    onclick: () => {
      const now = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(now));
      change(now);
    },
  }, label);
  return button;
}

/** The rows that the filters above the axes let through. */
function narrowed(trials, { stage, kinds, text, once }) {
  let rows = trials.filter((trial) => (stage === null || trial.stage === stage) && kinds.has(trial.kind));
  if (text) rows = rows.filter((trial) => trial.named.includes(text) || trial.arch.includes(text));
  if (!once) return rows;
  const best = new Map();
  for (const trial of rows) {
    const known = best.get(trial.arch);
    if (!known || (trial.score ?? -Infinity) > (known.score ?? -Infinity)) best.set(trial.arch, trial);
  }
  return rows.filter((trial) => best.get(trial.arch) === trial);
}

/** Whether the axes let a row through. */
function brushed(trial, { choices, score }) {
  if (score && !(trial.score >= score[0] && trial.score <= score[1])) return false;
  return choices.every((allowed, token) => !allowed || allowed.has(trial.choice[token]));
}
