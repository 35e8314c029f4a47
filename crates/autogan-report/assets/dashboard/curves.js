// Scores, losses and entropy over the iterations of a search; scores and losses over those of a training.

import { h } from "./dom.js";
import { Chart } from "./charts.js";

/** Trials that the search itself scored. */
const SEARCHED = new Set(["controller", "candidate", "trained"]);

/** Whether a trial counts for the running best: of trainings from scratch, only those to the whole length compare. */
function counts(trial, plan) {
  if (trial.score === null || !SEARCHED.has(trial.kind)) return false;
  return trial.kind !== "trained" || trial.iteration === plan.strategy?.lengths.at(-1);
}

/** The frame of a run's charts: stages, resets, and where the axis ends. */
export function frameOf(data) {
  const last = data.trials.reduce((end, trial) => Math.max(end, trial.at), 0);
  const end = Math.max(last, ...data.stages.map((stage) => stage.end), 1);
  const losses = data.scalars["loss/d"];
  const resets = data.events.filter((event) => event.kind === "reset").map((event) => {
    const at = losses ? losses.tick.findIndex((tick) => tick >= event.tick) : -1;
    return at < 0 ? event.iteration : losses.at[at];
  });
  return { end, stages: data.stages, resets };
}

/** The highest score so far within each stage, as [x, y]; it begins anew with a stage. */
export function runningBest(data) {
  const [xs, ys] = [[], []];
  const rows = data.trials.filter((trial) => counts(trial, data.plan));
  rows.sort((a, b) => a.at - b.at || a.id - b.id);
  let stage = null;
  let best = -Infinity;
  for (const trial of rows) {
    if (trial.stage !== stage) {
      if (stage !== null) put(xs, ys, trial.at - 1e-6, null);
      stage = trial.stage;
      best = -Infinity;
    }
    if (trial.score > best) {
      best = trial.score;
      put(xs, ys, trial.at, best);
    }
  }
  const end = frameOf(data).end;
  if (best > -Infinity && xs.at(-1) < end) put(xs, ys, end, best);
  return strictly(xs, ys);
}

function put(xs, ys, x, y) {
  xs.push(x);
  ys.push(y);
}

/** One value per place, the last; places rise. */
function strictly(xs, ys) {
  const [x, y] = [[], []];
  xs.forEach((at, i) => {
    if (x.length && at <= x.at(-1)) {
      if (ys[i] !== null) y[y.length - 1] = ys[i];
    } else put(x, y, at, ys[i]);
  });
  return [x, y];
}

/** The scores of one kind of trials, or of the trainings of one length. */
function points(trials, kind, length) {
  const wanted = (trial) => trial.kind === kind && (length === undefined || trial.iteration === length);
  const rows = trials.filter((trial) => wanted(trial) && trial.score !== null);
  rows.sort((a, b) => a.at - b.at);
  // Candidates of a stage share their place: side by side, so that each is seen.
  const [xs, ys] = [[], []];
  rows.forEach((trial) => put(xs, ys, xs.length && trial.at <= xs.at(-1) ? xs.at(-1) + 1e-4 : trial.at, trial.score));
  return [xs, ys];
}

/** A series of the store as [x, y]. */
export function series(data, tag) {
  const found = data.scalars[tag];
  return found ? strictly(found.at, found.value) : [[], []];
}

/** Means over a window about each place, as long as an iteration has values. */
function smooth([xs, ys], iterations) {
  const half = Math.max(2, Math.floor(ys.length / Math.max(iterations, 1) / 3));
  const sums = [0];
  for (const y of ys) sums.push(sums.at(-1) + (y ?? 0));
  return [xs, ys.map((_, at) => {
    const [from, to] = [Math.max(0, at - half), Math.min(ys.length, at + half + 1)];
    return (sums[to] - sums[from]) / (to - from);
  })];
}

/** Score of real images, a level for each stage. */
function real(data, end) {
  const [xs, ys] = [[], []];
  for (const stage of data.stages) {
    if (stage.real === null) continue;
    put(xs, ys, stage.first, stage.real);
    put(xs, ys, Math.max(Math.min(stage.end, end), stage.first + 1e-3) - 2e-6, stage.real);
    put(xs, ys, Math.max(Math.min(stage.end, end), stage.first + 1e-3) - 1e-6, null);
  }
  return strictly(xs, ys);
}

function random(data, end) {
  const last = data.stages.at(-1);
  const median = data.found?.score?.median_random;
  return last && Number.isFinite(median) ? [[last.first, end], [median, median]] : [[], []];
}

/** A score of a training, beside that of training images. */
function scoreChart(title, note) {
  return new Chart({
    title, note,
    series: [
      { label: "averaged generator", colour: "c-best", kind: "line", width: 2 },
      { label: "training images", colour: "c-real", kind: "line", dash: [6, 4], width: 1.3 },
    ],
  });
}

/** The last value of a series, as a level over the whole axis. */
function level(data, tag, end) {
  const value = data.scalars[tag]?.value.at(-1);
  return Number.isFinite(value) ? [[0, end], [value, value]] : [[], []];
}

/** The charts of a run's first page. */
export function curvesPart() {
  const child = new Chart({
    title: "Score", note: "against search iterations; drag to zoom, double-click to undo", height: 320,
    series: [
      { label: "children", colour: "c-child", kind: "dots" },
      { label: "candidates", colour: "c-candidate", kind: "rings" },
      { label: "baseline of the reward", colour: "c-baseline", kind: "line", width: 1.2 },
      { label: "running best", colour: "c-best", kind: "step", width: 2.2 },
      { label: "real data", colour: "c-real", kind: "line", dash: [6, 4], width: 1.3 },
      { label: "random search, median", colour: "c-random", kind: "line", dash: [2, 4], width: 1.6 },
    ],
  });
  const values = new Chart({
    title: "Values of trainings", note: "in the order in which they ended; drag to zoom, double-click to undo", height: 320,
    series: [
      { label: "short trainings", colour: "c-child", kind: "dots" },
      { label: "middle trainings", colour: "c-candidate", kind: "rings" },
      { label: "whole trainings", colour: "c-best", kind: "dots" },
      { label: "running best of whole trainings", colour: "c-best", kind: "step", width: 2.2 },
      { label: "real data", colour: "c-real", kind: "line", dash: [6, 4], width: 1.3 },
      { label: "random architectures, median", colour: "c-random", kind: "line", dash: [2, 4], width: 1.6 },
    ],
  });
  const losses = new Chart({
    title: "Losses", note: "hinge, with a moving mean",
    series: [
      { label: "discriminator", colour: "c-child", kind: "line", width: 1, faint: true },
      { label: "generator", colour: "c-candidate", kind: "line", width: 1, faint: true },
      { label: "discriminator", colour: "c-child", kind: "line", width: 1.8 },
      { label: "generator", colour: "c-candidate", kind: "line", width: 1.8 },
    ],
  });
  const entropy = new Chart({
    title: "Entropy of the policy", note: "per token, nats",
    series: [{ label: "entropy", colour: "c-real", kind: "line" }],
  });
  const score = scoreChart("Inception Score, its formula", "higher is better");
  const distance = scoreChart("Fr\u00e9chet distance to the training images", "lower is better");
  const scores = h("div.pair", {}, score.element, distance.element);
  const within = h("div.pair", {}, losses.element, entropy.element);
  return {
    element: h("div.charts", {}, child.element, values.element, scores, within),
    update(data) {
      const frame = frameOf(data);
      const { training, strategy } = data.plan;
      for (const chart of [child, entropy]) chart.element.hidden = Boolean(training ?? strategy);
      scores.hidden = !training;
      values.element.hidden = !strategy;
      // A search by trainings stores no losses.
      within.hidden = Boolean(strategy);
      if (strategy) {
        const trained = strategy.lengths.map((length) => points(data.trials, "trained", length));
        values.set([...trained, runningBest(data), real(data, frame.end), random(data, frame.end)], frame);
        return;
      }
      score.set([series(data, "score/is"), level(data, "score/real/is", frame.end)], frame);
      distance.set([series(data, "score/frechet"), level(data, "score/real/frechet", frame.end)], frame);
      child.set([
        points(data.trials, "controller"), points(data.trials, "candidate"),
        series(data, "controller/baseline"), runningBest(data), real(data, frame.end), random(data, frame.end),
      ], frame);
      const raw = [series(data, "loss/d"), series(data, "loss/g")];
      losses.set([...raw, ...raw.map((table) => smooth(table, frame.end))], frame);
      entropy.set([series(data, "controller/entropy")], frame);
    },
    destroy() { for (const chart of [child, values, losses, entropy, score, distance]) chart.destroy(); },
  };
}
