// Elements, numbers and words: what every part of the page needs.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("a.brand", { href: "#/" }, "text", child)`. Text is never read as markup. */
export function h(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElement(name || "div"), classes, attributes, children);
}

/** The same for SVG. */
export function s(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  return fill(document.createElementNS(SVG, name), classes, attributes, children);
}

function fill(element, classes, attributes, children) {
  if (classes.length) element.classList.add(...classes);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** The drawing in `text`, which this dashboard's server made. */
export function drawing(text) {
  const root = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  return document.importNode(root, true);
}

const MINUS = "\u2212";
export const DASH = "\u2013";

/** A number with a fixed number of decimals. */
export function fixed(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return DASH;
  return value.toFixed(digits).replace("-", MINUS);
}

/** A large count in three digits: 94.1 k. */
export function short(count) {
  if (count === null || count === undefined) return DASH;
  for (const [size, unit] of [[1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (count >= size) return `${(count / size).toPrecision(3)}\u202f${unit}`;
  }
  return String(count);
}

/** A whole number with thin spaces. */
export function whole(count) {
  if (count === null || count === undefined) return DASH;
  return Math.round(count).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** Seconds in two units. */
export function duration(seconds) {
  if (!Number.isFinite(seconds)) return DASH;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.floor(minutes / 1440)} d ${Math.floor((minutes % 1440) / 60)} h`;
}

/** A date, from milliseconds since 1970. */
export function date(ms) {
  if (!ms) return DASH;
  const pad = (n) => String(n).padStart(2, "0");
  const d = new Date(ms);
  return `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} ${pad(d.getHours())}:${pad(d.getMinutes())}`;
}

/** A token's name in a narrow place. */
export function tokenLabel(token) {
  return token.name.replace("skip from cell ", "skip ").replace("upsampling", "up");
}

/** A button that copies `text`. */
export function copyButton(text) {
  const button = h("button.copy", { type: "button", "aria-label": `Copy: ${text}`, onclick: copy }, "Copy");
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select it";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  }
  return button;
}

/** A command line with its purpose. */
export function command({ does, line }) {
  return h("div.command", {}, h("span.does", {}, does), h("code", { tabindex: 0 }, line), copyButton(line));
}

/** Sets the element's children if they would change; keeps the focus otherwise. */
export function replace(element, ...children) {
  element.replaceChildren(...children.flat().filter(Boolean));
}

/** The value of a colour of the style sheet, as the present theme has it. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
