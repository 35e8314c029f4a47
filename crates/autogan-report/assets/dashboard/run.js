// One run: what it is, and its pages.

import { Run } from "./api.js";
import { h, replace, fixed, short, duration, date, command, DASH } from "./dom.js";
import { chip, progress } from "./runs.js";
import { curvesPart } from "./curves.js";
import { policyPart } from "./policy.js";
import { samplesPart } from "./samples.js";
import { trialsPart } from "./trials.js";
import { openInspector } from "./inspect.js";

const PAGES = [["overview", "Overview"], ["trials", "Trials"], ["policy", "Policy"], ["about", "Settings"]];

/** Whether a run has a page: a training has one architecture, and only a search on shared weights has a policy. */
function has(page, { training, strategy }) {
  return !(page === "policy" && (training || strategy)) && !(page === "trials" && training);
}

/** Runs that were looked at, so that going from page to page does not load them again. */
const known = new Map();

/** The run of that name, as far as it is known. */
export function knownRun(name) {
  if (!known.has(name)) {
    if (known.size >= 4) known.delete(known.keys().next().value);
    known.set(name, new Run(name));
  }
  return known.get(name);
}

const MAKE = {
  overview: (name) => [factsPart(name), curvesPart(), samplesPart(name), foundPart(name)],
  trials: (name) => [trialsPart(name)],
  policy: () => [policyPart()],
  about: () => [aboutPart()],
};

/** A page of a run. */
export function runView(name, page) {
  const run = knownRun(name);
  const parts = (MAKE[page] ?? MAKE.overview)(name);
  const state = h("span.state");
  const problems = h("div.problems");
  const tabs = PAGES.map(([key, text]) =>
    h("a", { href: `#/run/${encodeURIComponent(name)}/${key}`, "aria-current": key === page ? "page" : null }, text));
  const element = h("section", {},
    h("div.head", {}, h("h1", {}, name), state),
    problems,
    h("nav.tabs", { "aria-label": "Pages of the run" }, tabs),
    parts.map((part) => part.element));
  let drawn = false;
  return {
    element,
    async update() {
      const changed = await run.refresh();
      if (changed || !drawn) {
        drawn = true;
        const { summary, plan } = run.data;
        PAGES.forEach(([key], at) => { tabs[at].hidden = !has(key, plan); });
        replace(state, chip(run.data.problems.length ? "damaged" : summary.status.state), progress(summary));
        replace(problems, ...run.data.problems.map((text) => h("p.notice.fatal", { role: "alert" }, text)));
        for (const part of parts) part.update(run.data);
      }
      return run.data.summary.status.state === "running";
    },
    destroy() { for (const part of parts) part.destroy?.(); },
  };
}

/** The run in a few numbers. */
function factsPart(name) {
  const element = h("dl.tiles");
  return {
    element,
    update({ summary, plan }) {
      const { best, score, trained } = summary;
      const about = [summary.dataset, summary.seed === null ? null : `seed ${summary.seed}`, summary.scorer && `scored by ${summary.scorer}`];
      const tiles = [
        ["Preset", summary.preset ?? DASH, about.filter(Boolean).join(", ")],
        [plan.strategy ? "Best training" : "Best child", best ? fixed(best.score) : DASH, best ? place(best, plan) : "nothing scored yet"],
        ["Score of the best", score ? fixed(score.best) : DASH, score ? `real data ${fixed(score.real)}, random search ${fixed(score.median_random)}` : "at the end of the search"],
        ["Time", duration(summary.seconds), `since ${date(summary.created_ms)}`],
        ["Trials", String(summary.trials), plan.reward_images ? `${plan.reward_images} images each` : ""],
      ];
      if (plan.training) tiles.splice(1, 2, ...trainedTiles(trained));
      if (plan.training) tiles.pop();
      replace(element, ...tiles.map(([title, value, note]) =>
        h("div", {}, h("dt", {}, title), h("dd", {}, h("span.value", {}, value), h("span.note", {}, note)))));
      element.dataset.run = name;
    },
  };
}

/** Where the best of a search was scored. */
function place(best, plan) {
  return plan.strategy ? `after ${best.iteration} iterations` : `stage ${best.stage + 1}, iteration ${best.iteration + 1}`;
}

/** What a training came to. */
function trainedTiles(trained) {
  const tile = (title, key) => {
    if (!trained) return [title, DASH, "at the end of the training"];
    const { best, last, real } = trained;
    if (best[key] === null) return [title, DASH, "not taken"];
    const note = `iteration ${best.g_iteration}; ${fixed(last[key])} at the end, training images ${fixed(real[key])}`;
    return [title, fixed(best[key]), note];
  };
  return [tile("Inception Score\u2019s formula, best weights", "is"), tile("Fr\u00e9chet distance, best weights", "frechet")];
}

/** What the search found. */
function foundPart(name) {
  const element = h("section.card");
  return {
    element,
    update({ found, resume, summary }) {
      const again = summary.status.state === "unfinished" ? [h("h2", {}, "Go on"), command(resume)] : [];
      element.hidden = !found && !again.length;
      if (!found) { replace(element, ...again); return; }
      replace(element, h("h2", {}, "Found"),
        h("p.note", {}, `Scores are ${found.protocol.score}; select one to look at it.`),
        h("div.scroll", {}, h("table.grid", {},
          h("thead", {}, h("tr", {}, ["", "Architecture", "Score", "Spread", "Parameters", "Multiply-adds"].map((text) => h("th", { scope: "col" }, text)))),
          h("tbody", {}, found.top.map((one) => h("tr", {},
            h("td.number", {}, String(one.rank)),
            h("td.named", {}, h("button.link", { type: "button", onclick: () => openInspector(name, one.arch.join(" "), [["Rank", `${one.rank} of ${found.top.length}, score ${fixed(one.reward)}`]]) }, one.named)),
            h("td.number", {}, fixed(one.reward)), h("td.number", {}, `\u00b1\u202f${fixed(one.spread)}`),
            h("td.number", {}, short(one.params)), h("td.number", {}, short(one.macs))))))), ...again);
    },
  };
}

/** Configuration, machine, and what happened to the run. */
function aboutPart() {
  const element = h("div.columns");
  let last = "";
  return {
    element,
    update({ config, host, plan, sessions, events }) {
      const text = JSON.stringify([config, host, sessions.length, events.length]);
      if (text === last) return;
      last = text;
      const machine = host ? [["Machine", host.hostname], ["Processor", host.cpu], ["Threads", host.threads], ["Device", host.device], ["System", host.os], ["Version", [host.version, host.commit].filter(Boolean).join(", ")], ["Compiler", host.rustc]] : [];
      const happened = [...events, ...sessions].sort((a, b) => a.tick - b.tick || a.seconds - b.seconds);
      replace(element,
        h("section.card", {}, h("h2", {}, "config.toml"), h("pre", { tabindex: 0 }, config)),
        h("div", {},
          h("section.card", {}, h("h2", {}, "Machine"), h("dl.facts", {}, machine.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, String(value)))))),
          h("section.card", {}, h("h2", {}, "What happened"), h("ol.events", {}, happened.map((event) =>
            h("li", {}, h("span.when", {}, duration(event.seconds)), h("span.kind", {}, event.kind), h("span", {}, `${plan.strategy ? "training" : "iteration"} ${event.iteration + 1}`)))))));
    },
  };
}
