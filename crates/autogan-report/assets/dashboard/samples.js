// Sample grids: the newest large, all of them as a filmstrip by stage.

import { picture } from "./api.js";
import { h, replace } from "./dom.js";

/** The pictures of a run. */
export function samplesPart(name) {
  const large = h("figure.large");
  const strip = h("div.strip", { role: "group", "aria-label": "All sample grids" });
  const element = h("section.card.samples", {}, h("h2", {}, "Samples"), h("div.stage-light", {}, large, strip));
  let chosen = null;
  let count = -1;

  function show(images) {
    const image = images.find((one) => one.path === chosen) ?? images.at(-1);
    const newest = image === images.at(-1);
    replace(large,
      h("img", { src: picture(name, image), alt: `Sample grid, ${caption(image)}` }),
      h("figcaption", {}, `${caption(image)}${newest ? " \u00b7 newest" : ""}`));
    for (const frame of strip.querySelectorAll("button")) {
      frame.setAttribute("aria-pressed", String(frame.dataset.path === image.path));
    }
  }

  return {
    element,
    update({ images, stages }) {
      element.hidden = images.length === 0;
      if (images.length === count || images.length === 0) return;
      count = images.length;
      replace(strip, ...stages.map((stage) => reel(stage, images.filter((image) => image.stage === stage.stage))));
      show(images);
      const scrolled = strip.querySelector("[aria-pressed=true]");
      if (scrolled && !chosen) strip.scrollLeft = strip.scrollWidth;
    },
  };

  function reel(stage, images) {
    if (!images.length) return null;
    return h("div.reel", {}, h("span.note", {}, `stage ${stage.stage + 1}${stage.side ? ` \u00b7 ${stage.side} px` : ""}`),
      h("div.frames", {}, images.map((image) => h("button.frame", {
        type: "button", "data-path": image.path, "aria-label": caption(image), title: caption(image),
        onclick: () => { chosen = image.path; show([...images.filter((one) => one !== image), image]); },
      }, h("img", { src: picture(name, image), alt: "", loading: "lazy", width: 84, height: 84 })))));
  }
}

function caption(image) {
  if (image.tag === "train") return `averaged generator, after iteration ${image.iteration}`;
  const what = image.tag === "best" ? "best architecture found" : image.tag === "child" ? "best child" : image.tag;
  return `${what}, stage ${image.stage + 1}, after iteration ${image.tag === "best" ? image.iteration : image.iteration + 1}`;
}
