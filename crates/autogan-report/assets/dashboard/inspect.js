// One architecture in a panel: drawing, notations, cost of each part, command lines.

import { inspect } from "./api.js";
import { h, replace, drawing, short, whole, command, copyButton } from "./dom.js";

const dialog = document.getElementById("inspector");
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });

/** Shows an architecture of a run; `trial` is where it was scored, if it was. */
export async function openInspector(run, vector, facts = []) {
  replace(dialog, frame(run, h("p.notice", {}, "\u2026")));
  if (!dialog.open) dialog.showModal();
  try {
    const found = await inspect(run, vector);
    replace(dialog, frame(run, ...content(found, facts)));
    dialog.querySelector(".close").focus();
  } catch (error) {
    replace(dialog, frame(run, h("p.notice.fatal", { role: "alert" }, error.message)));
  }
}

/** Closes the panel, if it is open. */
export function closeInspector() {
  if (dialog.open) dialog.close();
}

function frame(run, ...children) {
  const close = h("button.close", { type: "button", "aria-label": "Close", onclick: () => dialog.close() }, "\u00d7");
  return h("div.panel", {},
    h("header", {}, h("div", {}, h("h2", { id: "inspector-title" }, "Architecture"), h("p.sub", {}, run)), close),
    children);
}

function content({ view, ends, svg, commands }, facts) {
  return [
    view.known_name ? h("p.chip.known", {}, view.known_name) : null,
    h("div.figure", { tabindex: 0, role: "group", "aria-label": "Drawing of the architecture" }, drawing(svg)),
    h("dl.facts", {},
      pair("Cells", view.named),
      pair("Vector", h("span", {}, h("code", {}, view.vector), " ", copyButton(view.vector))),
      pair("Cost", `${whole(view.params)} parameters, ${short(view.macs)} multiply-adds an image`),
      facts.map(([name, text]) => pair(name, text))),
    h("h3", {}, "Where the cost is"),
    costs(view, ends),
    h("h3", {}, "Commands"),
    h("div.commands", {}, commands.map(command)),
  ].filter(Boolean);
}

function pair(name, value) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value));
}

function costs(view, ends) {
  const [stem, rgb] = ends;
  const parts = [
    [stem.name, `${view.latent} to ${view.bottom}\u00d7${view.bottom}`, stem],
    ...view.cells.map((cell) => [`cell ${cell.index + 1}`, `to ${cell.side}\u00d7${cell.side}`, cell]),
    [rgb.name, "", rgb],
  ];
  const share = (count, all) => h("td.number", {}, h("span.bar", {}, h("progress", { value: count, max: all || 1, "aria-hidden": "true" })), h("span.amount", {}, whole(count)));
  return h("div.scroll", {}, h("table.costs", {},
    h("thead", {}, h("tr", {}, ["Part", "", "Parameters", "Multiply-adds"].map((name) => h("th", { scope: "col" }, name)))),
    h("tbody", {}, parts.map(([name, about, cost]) => h("tr", {},
      h("th", { scope: "row" }, name), h("td", {}, about), share(cost.params, view.params), share(cost.macs, view.macs))))));
}
