// Parallel coordinates over the tokens of an architecture: an axis per token, a line per trial,
// coloured by score. Pressing choices or dragging along an axis keeps only some.

import { h, colour, fixed, tokenLabel } from "./dom.js";

const THEME = matchMedia("(prefers-color-scheme: dark)");
const HEIGHT = 300;
const TOP = 52;
const BOTTOM = 14;
const FIRST = 58;
const LAST = 62;
const NARROWEST = 68;

/** Axes with brushes; `filter` is what they change, `changed` is told. */
export class Parallel {
  constructor(filter, changed) {
    Object.assign(this, { filter, changed });
    this.tokens = [];
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.over = h("div.axes");
    this.stage = h("div.parallel", {}, this.canvas, this.over);
    this.low = this.bound("Lowest score", 0);
    this.high = this.bound("Highest score", 1);
    this.element = h("div", {},
      h("div.scroll.parallel-scroll", { tabindex: 0, role: "region", "aria-label": "Axes of choices" }, this.stage),
      h("div.bounds", {}, h("span", {}, "Score from"), this.low, h("span", {}, "to"), this.high, ramp()));
    this.brush = null;
    this.over.addEventListener("pointerdown", (event) => this.press(event));
    this.over.addEventListener("pointermove", (event) => this.drag(event));
    this.over.addEventListener("pointerup", (event) => this.release(event));
    this.over.addEventListener("pointercancel", () => { this.brush = null; });
    this.resize = new ResizeObserver(() => this.render());
    this.resize.observe(this.element);
    this.repaint = () => this.paint();
    THEME.addEventListener("change", this.repaint);
  }

  destroy() {
    this.resize.disconnect();
    THEME.removeEventListener("change", this.repaint);
  }

  bound(label, at) {
    return h("input", {
      type: "number", step: "any", "aria-label": label,
      onchange: (event) => {
        const value = event.target.value === "" ? null : Number(event.target.value);
        const range = this.filter.score ?? [-Infinity, Infinity];
        range[at] = value ?? (at === 0 ? -Infinity : Infinity);
        this.filter.score = range.every((bound) => !Number.isFinite(bound)) ? null : range;
        this.changed();
      },
    });
  }

  /** New rows: `all` faintly, `kept` in colour. */
  set(tokens, all, kept) {
    const scored = all.filter((trial) => trial.score !== null && trial.choice.length);
    const longest = scored.reduce((most, trial) => Math.max(most, trial.choice.length), 0);
    this.tokens = tokens.slice(0, longest);
    // In the order of scores: the best are drawn last, and within a choice the best lie on top.
    this.all = scored.sort((a, b) => a.score - b.score);
    this.kept = new Set(kept);
    this.rank = new Map(this.all.map((trial, at) => [trial, this.all.length > 1 ? at / (this.all.length - 1) : 1]));
    const [least, most] = [this.all[0]?.score ?? 0, this.all.at(-1)?.score ?? 1];
    this.extent = most > least ? [least, most] : [least - 0.5, least + 0.5];
    this.render();
  }

  get axes() { return this.tokens.length + 1; }

  x(axis) { return FIRST + (axis * (this.width - FIRST - LAST)) / Math.max(this.axes - 1, 1); }

  /** Middle of a choice's band; the first choice lies at the bottom. */
  y(token, choice) {
    const n = this.tokens[token].choices.length;
    return HEIGHT - BOTTOM - ((choice + 0.5) * (HEIGHT - TOP - BOTTOM)) / n;
  }

  band(token) { return (HEIGHT - TOP - BOTTOM) / this.tokens[token].choices.length; }

  scoreY(score) {
    const [least, most] = this.extent;
    return HEIGHT - BOTTOM - ((score - least) / (most - least)) * (HEIGHT - TOP - BOTTOM);
  }

  render() {
    if (!this.all) return;
    const room = this.element.clientWidth;
    if (room === 0) return;
    this.width = Math.max(room, FIRST + LAST + NARROWEST * (this.axes - 1));
    this.stage.style.width = `${this.width}px`;
    this.stage.style.height = `${HEIGHT}px`;
    this.labels();
    this.paint();
    const [low, high] = this.filter.score ?? [-Infinity, Infinity];
    if (document.activeElement !== this.low) this.low.value = Number.isFinite(low) ? low.toFixed(3) : "";
    if (document.activeElement !== this.high) this.high.value = Number.isFinite(high) ? high.toFixed(3) : "";
    [this.low.placeholder, this.high.placeholder] = this.extent.map((value) => fixed(value));
  }

  labels() {
    const focused = document.activeElement?.dataset?.choice;
    const parts = [];
    let cell = null;
    this.tokens.forEach((token, at) => {
      if (token.cell !== cell) {
        cell = token.cell;
        parts.push(place(h("span.cell", {}, `Cell ${cell + 1}`), this.x(at) - 28, 0));
      }
      parts.push(place(h("span.axis-name", {}, tokenLabel(token)), this.x(at), 18));
      token.choices.forEach((choice, which) => parts.push(this.choice(at, which, choice)));
    });
    const end = this.x(this.axes - 1);
    parts.push(place(h("span.axis-name", {}, "score"), end, 18));
    const [least, most] = this.extent;
    for (const value of [least, (least + most) / 2, most]) {
      parts.push(place(h("span.tick", {}, fixed(value, 2)), end + 8, this.scoreY(value)));
    }
    this.over.replaceChildren(...parts);
    if (focused) this.over.querySelector(`[data-choice="${focused}"]`)?.focus();
  }

  choice(token, which, name) {
    const allowed = this.filter.choices[token];
    const button = h("button.choice", {
      type: "button", "data-choice": `${token}-${which}`, "aria-pressed": String(Boolean(allowed?.has(which))),
      "aria-label": `Cell ${this.tokens[token].cell + 1}, ${this.tokens[token].name}: ${name}`,
      onclick: () => this.toggle(token, which),
    }, name);
    if (allowed && !allowed.has(which)) button.classList.add("out");
    return place(button, this.x(token), this.y(token, which));
  }

  /** Choices that are pressed are kept; with none or all pressed the axis lets everything through. */
  toggle(token, which) {
    const allowed = new Set(this.filter.choices[token] ?? []);
    if (allowed.has(which)) allowed.delete(which); else allowed.add(which);
    this.allow(token, allowed);
  }

  allow(token, allowed) {
    const all = this.tokens[token].choices.length;
    this.filter.choices[token] = allowed.size === 0 || allowed.size === all ? undefined : allowed;
    this.changed();
  }

  paint() {
    if (!this.all || !this.width) return;
    const scale = devicePixelRatio;
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(HEIGHT * scale);
    this.canvas.style.width = `${this.width}px`;
    this.canvas.style.height = `${HEIGHT}px`;
    const ctx = this.canvas.getContext("2d");
    ctx.scale(scale, scale);
    const shades = rampColours();
    const few = this.kept.size < this.all.length;
    if (few) this.lines(ctx, this.all.filter((trial) => !this.kept.has(trial)), () => colour("faint"), 0.35);
    const kept = this.all.filter((trial) => this.kept.has(trial));
    const alpha = Math.min(0.9, Math.max(0.16, 60 / Math.max(kept.length, 1)));
    this.lines(ctx, kept, (trial) => shades[Math.min(shades.length - 1, Math.floor(this.rank.get(trial) * shades.length))], alpha);
    ctx.globalAlpha = 1;
    ctx.strokeStyle = colour("axis");
    ctx.lineWidth = 1;
    for (let axis = 0; axis < this.axes; axis += 1) {
      const x = Math.round(this.x(axis)) + 0.5;
      ctx.beginPath();
      ctx.moveTo(x, TOP);
      ctx.lineTo(x, HEIGHT - BOTTOM);
      ctx.stroke();
    }
    this.brushes(ctx);
  }

  lines(ctx, trials, shade, alpha) {
    ctx.globalAlpha = alpha;
    ctx.lineWidth = 1.1;
    for (const trial of trials) {
      ctx.strokeStyle = shade(trial);
      ctx.beginPath();
      let [px, py] = [0, 0];
      trial.choice.forEach((choice, token) => {
        const spread = (0.5 - this.rank.get(trial)) * this.band(token) * 0.62;
        const [x, y] = [this.x(token), this.y(token, choice) + spread];
        if (token === 0) ctx.moveTo(x, y); else bend(ctx, px, py, x, y);
        [px, py] = [x, y];
      });
      bend(ctx, px, py, this.x(this.axes - 1), this.scoreY(trial.score));
      ctx.stroke();
    }
  }

  brushes(ctx) {
    const box = (axis, y0, y1) => {
      ctx.fillStyle = colour("brush");
      ctx.fillRect(this.x(axis) - 9, y0, 18, y1 - y0);
      ctx.strokeStyle = colour("accent");
      ctx.strokeRect(Math.round(this.x(axis) - 9) + 0.5, Math.round(y0) + 0.5, 18, Math.round(y1 - y0));
    };
    if (this.filter.score) {
      const [low, high] = this.filter.score.map((bound, at) => (Number.isFinite(bound) ? Math.min(Math.max(bound, this.extent[0]), this.extent[1]) : this.extent[at]));
      box(this.axes - 1, this.scoreY(high), this.scoreY(low));
    }
    if (this.brush && Math.abs(this.brush.now - this.brush.from) > 3) {
      box(this.brush.axis, Math.min(this.brush.from, this.brush.now), Math.max(this.brush.from, this.brush.now));
    }
  }

  press(event) {
    if (event.pointerType === "touch" || event.target.closest("button")) return;
    const { x, y } = this.at(event);
    const axis = Array.from({ length: this.axes }, (_, at) => at).find((at) => Math.abs(this.x(at) - x) < 26);
    if (axis === undefined || y < TOP - 10) return;
    this.brush = { axis, from: y, now: y };
    this.over.setPointerCapture(event.pointerId);
    event.preventDefault();
  }

  drag(event) {
    if (!this.brush) return;
    this.brush.now = this.at(event).y;
    this.paint();
  }

  release() {
    if (!this.brush) return;
    const { axis, from, now } = this.brush;
    this.brush = null;
    const [top, bottom] = [Math.min(from, now), Math.max(from, now)];
    const click = bottom - top < 4;
    if (axis === this.axes - 1) {
      const value = (y) => this.extent[0] + ((HEIGHT - BOTTOM - y) / (HEIGHT - TOP - BOTTOM)) * (this.extent[1] - this.extent[0]);
      this.filter.score = click ? null : [value(bottom), value(top)];
      this.changed();
      return;
    }
    const touched = this.tokens[axis].choices.map((_, which) => which).filter((which) => {
      const [middle, half] = [this.y(axis, which), this.band(axis) / 2];
      return !click && middle - half * 0.6 < bottom && middle + half * 0.6 > top;
    });
    this.allow(axis, new Set(touched));
  }

  at(event) {
    const box = this.over.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}

function bend(ctx, x0, y0, x1, y1) {
  const middle = (x0 + x1) / 2;
  ctx.bezierCurveTo(middle, y0, middle, y1, x1, y1);
}

function place(element, x, y) {
  element.style.left = `${x}px`;
  element.style.top = `${y}px`;
  return element;
}

function rampColours() {
  return Array.from({ length: 9 }, (_, at) => colour(`ramp-${at}`));
}

function ramp() {
  return h("span.ramp", { "aria-hidden": "true" }, "low", h("span.ramp-bar"), "high");
}
