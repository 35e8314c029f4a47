// The policy: for each token the probability of each choice, a column per iteration.

import { h, s, replace, fixed } from "./dom.js";

const [WIDTH, HEIGHT] = [240, 96];

/** A small drawing per token, by stage. */
export function policyPart() {
  const element = h("div.policy");
  return {
    element,
    update({ policy, stages }) {
      if (!policy.length) {
        replace(element, h("p.notice", {}, "The controller's probabilities appear after its first iteration."));
        return;
      }
      replace(element,
        h("p.note", {}, "How likely the controller is to choose each option for the cell that is searched, at the end of each iteration."),
        ...stages.map((stage) => group(stage, policy.filter((token) => token.stage === stage.stage))));
    },
  };
}

function group(stage, tokens) {
  if (!tokens.length) return null;
  const last = stage.end - 1;
  const when = last > stage.first ? `iterations ${stage.first + 1} to ${last + 1}` : `iteration ${stage.first + 1}`;
  return h("section", {}, h("h2", {}, `Cell ${stage.stage + 1}`, h("span.note", {}, when)),
    h("div.tokens", {}, tokens.map(picture)));
}

function picture(token) {
  const n = token.iteration.length;
  const step = WIDTH / n;
  const gap = n > 60 ? 0 : Math.min(2, step * 0.15);
  const columns = token.iteration.flatMap((iteration, at) => {
    let top = 0;
    return token.choices.map((choice, which) => {
      const p = token.probability[which][at] ?? 0;
      const rect = s(`rect.choice-${which}`, {
        x: (at * step).toFixed(2), width: Math.max(step - gap, 0.5).toFixed(2),
        y: (top * HEIGHT).toFixed(2), height: (p * HEIGHT).toFixed(2),
      }, s("title", {}, `iteration ${iteration + 1}: ${choice} ${fixed(p, 3)}`));
      top += p;
      return rect;
    });
  });
  const now = token.choices.map((choice, which) => `${choice} ${fixed(token.probability[which].at(-1), 2)}`).join(", ");
  return h("figure.token", {},
    h("figcaption", {}, token.token),
    s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${token.token}: now ${now}` }, columns),
    h("div.choices", {}, token.choices.map((choice, which) =>
      h("span", {}, h(`span.swatch.choice-${which}`), choice, h("b", {}, fixed(token.probability[which].at(-1), 2))))));
}
