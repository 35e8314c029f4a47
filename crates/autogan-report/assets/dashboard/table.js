// A table of trials, sorted by any column, a hundred rows at a time.

import { h, replace, fixed, short, duration } from "./dom.js";
import { openInspector } from "./inspect.js";

const PAGE = 100;

/** Scored when the search was over. */
const isEnd = (trial) => ["derive", "random", "drawn"].includes(trial.kind);

/** When it was scored: the search iteration, or the length of a training from scratch. */
const when = (trial) => (["trained", "shared"].includes(trial.kind) ? trial.iteration : trial.iteration + 1);

const COLUMNS = [
  ["id", "#", (t) => String(t.id), true],
  ["score", "Score", (t) => fixed(t.score), true],
  ["spread", "Spread", (t) => fixed(t.spread), true],
  ["named", "Architecture", null, false],
  ["stage", "Stage", (t) => String(t.stage + 1), true],
  ["iteration", "Iteration", (t) => (isEnd(t) ? "end" : String(when(t))), true],
  ["kind", "Kind", (t) => t.kind, false],
  ["entropy", "Entropy", (t) => fixed(t.entropy, 2), true],
  ["reward", "Reward", (t) => fixed(t.reward), true],
  ["baseline", "Baseline", (t) => fixed(t.baseline), true],
  ["advantage", "Advantage", (t) => fixed(t.advantage), true],
  ["params", "Params", (t) => short(t.params), true],
  ["macs", "MACs", (t) => short(t.macs), true],
  ["seconds", "Time", (t) => duration(t.seconds), true],
];

/** The rows in the order of one column. */
export class Table {
  constructor(run) {
    this.run = run;
    this.rows = [];
    this.by = "score";
    this.falling = true;
    this.limit = PAGE;
    this.heads = COLUMNS.map(([key, label, , number]) => h(number ? "th.number" : "th", { scope: "col" },
      h("button", { type: "button", onclick: () => this.sort(key) }, label)));
    this.body = h("tbody");
    this.more = h("button.button", { type: "button", onclick: () => { this.limit += PAGE; this.render(); } }, "Show 100 more");
    this.element = h("div", {},
      h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Trials" },
        h("table.grid.trial-table", {}, h("thead", {}, h("tr", {}, this.heads)), this.body)),
      this.more);
  }

  /** Shows these rows. */
  set(rows) {
    this.rows = rows;
    this.render();
  }

  sort(key) {
    // Numbers are most often wanted from the largest down, names from the first on.
    this.falling = this.by === key ? !this.falling : !["named", "kind", "id"].includes(key);
    this.by = key;
    this.limit = PAGE;
    this.render();
  }

  render() {
    const { by } = this;
    const way = this.falling ? -1 : 1;
    const rows = [...this.rows].sort((a, b) => {
      const [x, y] = [a[by], b[by]];
      if (x === null || y === null) return (x === null) - (y === null) || a.id - b.id;
      const order = typeof x === "string" ? x.localeCompare(y) : x - y;
      return way * order || a.id - b.id;
    });
    const focused = this.body.contains(document.activeElement) ? document.activeElement.dataset.trial : null;
    replace(this.body, ...rows.slice(0, this.limit).map((trial) => this.row(trial)));
    if (focused) this.body.querySelector(`[data-trial="${focused}"]`)?.focus();
    this.more.hidden = rows.length <= this.limit;
    COLUMNS.forEach(([key], at) => {
      if (key === by) this.heads[at].setAttribute("aria-sort", this.falling ? "descending" : "ascending");
      else this.heads[at].removeAttribute("aria-sort");
    });
  }

  row(trial) {
    const open = () => openInspector(this.run, trial.arch, [
      ["Trial", `${trial.id}, ${trial.kind}, stage ${trial.stage + 1}, ${isEnd(trial) ? "at the end" : `iteration ${when(trial)}`}`],
      ["Score", `${fixed(trial.score)} \u00b1\u202f${fixed(trial.spread)}`],
    ]);
    return h("tr", { onclick: open }, COLUMNS.map(([, , text, number]) => (text
      ? h(number ? "td.number" : "td", {}, text(trial))
      : h("td.named", {}, h("button.link", {
        type: "button", "data-trial": trial.id, onclick: (event) => { event.stopPropagation(); open(); },
      }, trial.named)))));
  }
}
