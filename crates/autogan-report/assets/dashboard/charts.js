// Curves over the iterations of a search, drawn by uPlot, with what ours need around it: stages,
// resets, a legend that the keyboard reaches, both themes.

/* global uPlot */
import { h, colour, fixed } from "./dom.js";

const THEME = matchMedia("(prefers-color-scheme: dark)");
const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
const SMALL = "11px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";

/**
 * A chart. `series`: [{ label, colour, kind: "line" | "step" | "dots" | "rings", dash, width, faint }], with
 * `colour` the name of one in the style sheet; faint ones have no place in the legend. Its data are tables [x, y] in
 * the same order, where a null breaks the line.
 */
export class Chart {
  constructor({ title, note, unit, series, height = 240, digits = 3, sync = "run" }) {
    Object.assign(this, { title, unit, series, height, digits, sync });
    this.tables = null;
    this.frame = { end: 1, stages: [], resets: [] };
    this.plot = null;
    this.zoom = null;
    this.box = h("div.plot", { role: "img", "aria-label": title });
    this.legend = h("div.legend");
    this.element = h("figure.chart", {},
      h("figcaption", {}, h("span.title", {}, title), note ? h("span.note", {}, note) : null),
      this.box, this.legend);
    this.shown = series.map(() => true);
    this.values = series.map(() => h("span.value"));
    this.legend.append(...series.map((one, at) => (one.faint ? "" : this.entry(one, at))));
    this.resize = new ResizeObserver(() => this.fit());
    this.resize.observe(this.box);
    this.repaint = () => { this.drop(); this.draw(); };
    THEME.addEventListener("change", this.repaint);
  }

  entry(one, at) {
    const button = h(`button.key.${one.kind}`, {
      type: "button", "aria-pressed": String(this.shown[at]), title: "Show or hide",
      onclick: () => {
        this.shown[at] = !this.shown[at];
        button.setAttribute("aria-pressed", String(this.shown[at]));
        for (const [other, { label }] of this.series.entries()) {
          if (label !== one.label) continue;
          this.shown[other] = this.shown[at];
          this.plot?.setSeries(other + 1, { show: this.shown[at] });
        }
      },
    }, h("span.swatch"), h("span", {}, one.label), this.values[at]);
    button.querySelector(".swatch").style.setProperty("--swatch", `var(--${one.colour})`);
    if (one.dash) button.classList.add("dashed");
    return button;
  }

  /** New data; `frame` says where the stages lie, where resets were and where the axis ends. */
  set(tables, frame) {
    this.frame = frame;
    this.tables = tables.map(([x, y]) => [x, y]);
    this.joined = uPlot.join(this.tables.map(([x, y]) => (x.length ? [x, y] : [[0], [null]])));
    this.empty = this.tables.every(([, y]) => y.every((value) => value === null));
    this.element.classList.toggle("empty", this.empty);
    if (this.plot) this.plot.setData(this.joined);
    else this.draw();
  }

  draw() {
    const width = Math.floor(this.box.clientWidth);
    if (!this.joined || width < 40) return;
    this.plot = new uPlot(this.options(width), this.joined, this.box);
  }

  fit() {
    const width = Math.floor(this.box.clientWidth);
    if (this.plot && width >= 40) this.plot.setSize({ width, height: this.height });
    else this.draw();
  }

  drop() {
    this.plot?.destroy();
    this.plot = null;
  }

  destroy() {
    this.resize.disconnect();
    THEME.removeEventListener("change", this.repaint);
    this.drop();
  }

  options(width) {
    const ink = { muted: colour("muted"), line: colour("line") };
    const axis = { stroke: ink.muted, font: FONT, grid: { stroke: ink.line, width: 1 }, ticks: { show: false } };
    return {
      width, height: this.height,
      legend: { show: false },
      padding: [18, 10, 0, 0],
      cursor: {
        sync: { key: this.sync, scales: ["x", null] }, y: false, points: { size: 6 },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: (u, target, handle) => (event) => { this.zoom = null; return handle(event); } },
      },
      scales: { x: { time: false, range: () => this.zoom ?? [0, Math.max(this.frame.end, 1)] } },
      axes: [
        { ...axis, size: 28, gap: 4, space: 48, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500], grid: { show: false } },
        { ...axis, size: 46, gap: 6, space: 36 },
      ],
      series: [{}, ...this.series.map((one, at) => this.line(one, at))],
      hooks: {
        drawClear: [(u) => this.bands(u)],
        draw: [(u) => this.marks(u)],
        setCursor: [(u) => this.read(u)],
        setSelect: [(u) => this.zoomTo(u)],
      },
    };
  }

  /** What was dragged over becomes all that is shown; a double click undoes it. */
  zoomTo(u) {
    const { left, width } = u.select;
    if (width < 4) return;
    this.zoom = [u.posToVal(left, "x"), u.posToVal(left + width, "x")];
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    u.setScale("x", { min: this.zoom[0], max: this.zoom[1] });
  }

  line(one, at) {
    const stroke = colour(one.colour);
    const dots = one.kind === "dots" || one.kind === "rings";
    return {
      label: one.label, show: this.shown[at], stroke: one.faint ? `${stroke}48` : stroke, width: dots ? 0 : one.width ?? 1.5, dash: one.dash,
      paths: dots ? () => null : one.kind === "step" ? uPlot.paths.stepped({ align: 1 }) : uPlot.paths.linear(),
      points: dots
        ? { show: true, size: one.kind === "rings" ? 6 : 4, width: one.kind === "rings" ? 1.4 : 0, stroke, fill: one.kind === "rings" ? colour("card") : `${stroke}70` }
        : { show: false },
    };
  }

  /** The stages, as tinted bands with their names. */
  bands(u) {
    const { ctx, bbox } = u;
    const scale = devicePixelRatio;
    ctx.save();
    this.frame.stages.forEach((stage, at) => {
      const left = Math.max(bbox.left, u.valToPos(stage.first, "x", true));
      const right = Math.min(bbox.left + bbox.width, u.valToPos(Math.min(stage.end, this.frame.end), "x", true));
      if (right <= left) return;
      if (at % 2 === 0) {
        ctx.fillStyle = colour("band");
        ctx.fillRect(left, bbox.top, right - left, bbox.height);
      }
      const side = stage.side ? ` \u00b7 ${stage.side} px` : "";
      ctx.font = SMALL.replace("11px", `${11 * scale}px`);
      ctx.fillStyle = colour("muted");
      ctx.textBaseline = "bottom";
      ctx.textAlign = "left";
      const texts = [`stage ${stage.stage + 1}${side}`, `stage ${stage.stage + 1}`, String(stage.stage + 1)];
      const text = texts.find((text) => ctx.measureText(text).width < right - left - 4 * scale);
      if (text) ctx.fillText(text, left + 2 * scale, bbox.top - 3 * scale);
    });
    ctx.restore();
  }

  /** Resets of the shared weights, as marks on the axis. */
  marks(u) {
    const { ctx, bbox } = u;
    ctx.save();
    ctx.strokeStyle = colour("reset");
    ctx.fillStyle = colour("reset");
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
    for (const at of this.frame.resets) {
      const x = Math.round(u.valToPos(at, "x", true));
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      ctx.beginPath();
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
      const side = 4 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(x - side, bbox.top);
      ctx.lineTo(x + side, bbox.top);
      ctx.lineTo(x, bbox.top + 1.5 * side);
      ctx.fill();
    }
    ctx.restore();
  }

  /** Values under the cursor, in the legend. */
  read(u) {
    const x = u.cursor.left >= 0 ? u.posToVal(u.cursor.left, "x") : null;
    this.series.forEach((one, at) => {
      this.values[at].textContent = x === null ? "" : fixed(near(this.tables[at], x, one.kind), this.digits);
    });
  }
}

/** The value at x: the last one before it for steps, else the nearest. */
function near([xs, ys], x, kind) {
  let best = null;
  let distance = Infinity;
  for (let i = 0; i < xs.length; i += 1) {
    if (ys[i] === null || ys[i] === undefined) continue;
    if (kind === "step") {
      if (xs[i] > x) break;
      best = ys[i];
    } else if (Math.abs(xs[i] - x) < distance) {
      distance = Math.abs(xs[i] - x);
      best = ys[i];
    }
  }
  return best;
}
