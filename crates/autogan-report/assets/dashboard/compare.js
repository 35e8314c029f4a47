// Two runs side by side.

import { runs, inspect } from "./api.js";
import { h, replace, drawing, fixed, short, duration, DASH } from "./dom.js";
import { Chart } from "./charts.js";
import { frameOf, runningBest, series } from "./curves.js";
import { knownRun } from "./run.js";
import { openInspector } from "./inspect.js";

/** The page that compares `a` with `b`; either may be missing yet. */
export function compareView(a, b) {
  const picks = h("div.picks");
  const body = h("div.compared");
  const element = h("section", {}, h("div.head", {}, h("h1", {}, "Compare two runs")), picks, body);
  let parts = null;
  let listed = "";

  function pick(which, chosen, names) {
    const label = `Run ${which === 0 ? "A" : "B"}`;
    return h("label", {}, h(`span.letter.run-${which}`, {}, label), h("select", {
      onchange: (event) => {
        const next = [a, b];
        next[which] = event.target.value;
        location.hash = `#/compare/${next.map((name) => encodeURIComponent(name ?? names[0])).join("/")}`;
      },
    }, names.map((name) => h("option", { value: name, selected: name === chosen }, name))));
  }

  return {
    element,
    async update() {
      const list = (await runs()).runs.filter((run) => run.summary).map((run) => run.name);
      const [first, second] = [a ?? list[0], b ?? list.find((name) => name !== (a ?? list[0]))];
      if (list.join() !== listed) {
        listed = list.join();
        replace(picks, pick(0, first, list), pick(1, second, list));
      }
      if (!first || !second) {
        replace(body, h("p.notice", {}, "There is only one run here; a second is needed."));
        return false;
      }
      const pair = [knownRun(first), knownRun(second)];
      const changed = [];
      for (const run of new Set(pair)) changed.push(await run.refresh());
      if (!parts) {
        parts = makeParts([first, second]);
        replace(body, ...parts.map((part) => part.element));
        changed.push(true);
      }
      if (changed.includes(true)) for (const part of parts) part.update(pair.map((run) => run.data));
      return pair.some((run) => run.data.summary.status.state === "running");
    },
    destroy() { for (const part of parts ?? []) part.destroy?.(); },
  };
}

function makeParts(names) {
  return [numbers(names), curves(), architectures(names), settings(names)];
}

/** Results in numbers. */
function numbers(names) {
  const element = h("section.card");
  const score = (key) => ({ summary }) => fixed(summary.score?.[key]);
  const rows = [
    ["State", ({ summary }) => summary.status.state],
    ["Iterations", ({ summary, plan }) => (plan.strategy ? `${summary.iterations_done} trainings` : `${summary.iterations_done} of ${summary.iterations ?? "?"}`)],
    ["Trials", ({ summary }) => String(summary.trials)],
    ["Time", ({ summary }) => duration(summary.seconds)],
    ["Best so far", ({ summary }) => (summary.best ? `${fixed(summary.best.score)}, stage ${summary.best.stage + 1}` : DASH)],
    ["Score of the best", score("best")],
    ["Random search, median", score("median_random")],
    ["Real data", score("real")],
    ["Untrained", score("untrained")],
    ["Scored by", ({ found, summary }) => found?.protocol.score ?? summary.scorer ?? DASH],
    ["Machine", ({ host }) => (host ? `${host.cpu}, ${host.threads} threads` : DASH)],
  ];
  return {
    element,
    update(pair) {
      replace(element, h("h2", {}, "In numbers"), twoColumns(names, rows.map(([name, read]) => [name, ...pair.map(read)])));
    },
  };
}

function twoColumns(names, rows) {
  return h("div.scroll", {}, h("table.grid.versus", {},
    h("thead", {}, h("tr", {}, h("td"), names.map((name, at) => h("th", { scope: "col" }, h(`span.letter.run-${at}`, {}, at === 0 ? "A" : "B"), " ", name)))),
    h("tbody", {}, rows.map(([name, ...values]) => h("tr", {}, h("th", { scope: "row" }, name), values.map((value) => h("td", {}, value)))))));
}

/** Curves over each other. */
function curves() {
  const two = (kind, width) => [0, 1].map((at) => ({ label: `run ${at === 0 ? "A" : "B"}`, colour: `run-${at}`, kind, width, dash: at === 1 ? [6, 3] : undefined }));
  const charts = [
    [new Chart({ title: "Running best", note: "within each stage; tinted stages are those of run A", height: 280, series: two("step", 2.2), sync: "compare" }), runningBest],
    [new Chart({ title: "Baseline", note: "moving average of the reward", series: two("line", 1.5), sync: "compare" }), (data) => series(data, "controller/baseline")],
    [new Chart({ title: "Entropy of the policy", series: two("line", 1.5), sync: "compare" }), (data) => series(data, "controller/entropy")],
  ];
  return {
    element: h("div.charts", {}, charts[0][0].element, h("div.pair", {}, charts.slice(1).map(([chart]) => chart.element))),
    update(pair) {
      const frames = pair.map(frameOf);
      const frame = { ...frames[0], end: Math.max(...frames.map((one) => one.end)), resets: [] };
      for (const [chart, read] of charts) chart.set(pair.map(read), frame);
    },
    destroy() { for (const [chart] of charts) chart.destroy(); },
  };
}

/** The best architectures, drawn. */
function architectures(names) {
  const element = h("section.card");
  let shown = "";
  return {
    element,
    async update(pair) {
      const best = pair.map((data) => data.found?.top[0]?.arch.join(" ") ?? data.summary.best?.arch);
      element.hidden = !best.every(Boolean);
      if (element.hidden || best.join("|") === shown) return;
      shown = best.join("|");
      const looks = await Promise.all(best.map((arch, at) => inspect(names[at], arch)));
      const same = looks[0].view.vector === looks[1].view.vector;
      replace(element, h("h2", {}, "Best architectures", same ? h("span.note", {}, "the same in both") : null),
        ...looks.map(({ view, svg }, at) => h("figure.drawn", {},
          h("figcaption", {}, h(`span.letter.run-${at}`, {}, at === 0 ? "A" : "B"), " ",
            h("button.link", { type: "button", onclick: () => openInspector(names[at], view.vector) }, view.named),
            h("span.note", {}, `${short(view.params)} parameters, ${short(view.macs)} multiply-adds`)),
          h("div.figure", { tabindex: 0, role: "group", "aria-label": `Drawing, run ${at === 0 ? "A" : "B"}` }, drawing(svg)))));
    },
  };
}

/** Lines of the configuration that differ. */
function settings(names) {
  const element = h("section.card");
  return {
    element,
    update([a, b]) {
      const [left, right] = [keys(a.config), keys(b.config)];
      const all = [...new Set([...left.keys(), ...right.keys()])];
      const rows = all.filter((key) => left.get(key) !== right.get(key)).map((key) => [key, left.get(key) ?? DASH, right.get(key) ?? DASH]);
      replace(element, h("h2", {}, "Different settings"),
        rows.length ? twoColumns(names, rows.map(([key, ...values]) => [h("code", {}, key), ...values.map((value) => h("code", {}, value))])) : h("p.notice", {}, "None."));
    },
  };
}

/** `section.key` with its value, from the flat TOML that the search writes. */
function keys(config) {
  const found = new Map();
  let section = "";
  for (const line of config.split("\n")) {
    const head = line.match(/^\[([^\]]+)\]$/);
    const pair = line.match(/^([^=#]+?)\s*=\s*(.*)$/);
    if (head) section = `${head[1]}.`;
    else if (pair) found.set(section + pair[1], pair[2]);
  }
  return found;
}
