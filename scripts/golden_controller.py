"""Golden values of the LSTM controller, from PyTorch, for crates/autogan-rl/tests/golden.rs.

    pip install torch numpy safetensors
    python scripts/golden_controller.py tests/golden/controller

Parameters come from a seed, in float32; everything else is computed from them in float64 and stored as float32.
Keys: `param.*` and `grad.*` under PyTorch's names (LSTMCell, embedding, one linear decoder per token), `tokens`
(number of choices of each), `start_h`, `start_c`, `actions`, `logits.i`, `log_probs`, `entropies`, `reward`,
`baseline`, `entropy_weight`, `loss` = mean over the batch of -sum(log pi) * (R - b) - c * sum(H), `end_h`, `end_c`.
`previous`, where present, is the shortcut choice of the previous cell, which the first step reads; without it the
first input is zeros. `paper.*` is the loss that adds the entropy to the reward, `released.*` (batch 1) that of the
released code, with the baseline of each token before and after.
"""

import pathlib
import sys

import torch
from safetensors.torch import save_file

HIDDEN = 6
RELEASED = {0: [2, 3, 3, 2], 1: [2, 3, 3, 2, 2], 2: [2, 3, 3, 2, 4]}
SKIPS_FIRST = {1: [2, 2, 3, 3, 2], 2: [2, 2, 2, 3, 3, 2]}
DECAY = 0.9


class Controller(torch.nn.Module):
    def __init__(self, tokens):
        super().__init__()
        self.tokens = tokens
        self.lstm = torch.nn.LSTMCell(HIDDEN, HIDDEN)
        self.encoder = torch.nn.Embedding(sum(tokens), HIDDEN)
        self.decoders = torch.nn.ModuleList(torch.nn.Linear(HIDDEN, n) for n in tokens)

    def forward(self, x, state, actions):
        """First input [B, hidden], (h, c), forced actions [B, T]."""
        logits, chosen, entropies, offset = [], [], [], 0
        for i, decoder in enumerate(self.decoders):
            state = self.lstm(x, state)
            logit = decoder(state[0])
            distribution = torch.distributions.Categorical(logits=logit)
            logits.append(logit)
            chosen.append(distribution.log_prob(actions[:, i]))
            entropies.append(distribution.entropy())
            x = self.encoder(actions[:, i] + offset)
            offset += self.tokens[i]
        return logits, torch.stack(chosen, 1), torch.stack(entropies, 1), state


def losses(log_probs, entropies, reward, baseline, weight, previous):
    """Every policy loss by name; `released` with the baseline that it leaves behind."""
    total, entropy = log_probs.sum(1), entropies.sum(1)
    found = {
        "": (-total * (reward - baseline) - weight * entropy).mean(),
        "paper.": (-total * (reward + weight * entropy - baseline).detach()).mean(),
    }
    updated = None
    if len(reward) == 1:
        raised = reward.unsqueeze(-1) + weight * entropies
        updated = DECAY * previous + (1 - DECAY) * raised
        found["released."] = -total.sum() * (raised - updated).sum()
    return found, updated


def make(tokens, batch, seed, with_previous):
    torch.manual_seed(seed)
    net = Controller(tokens)
    with torch.no_grad():
        # Wider than the initial values, so that distributions are far from even.
        for name, value in net.named_parameters():
            value.mul_(1.0 if name.startswith("encoder") else 2.0)
    started = with_previous or len(tokens) > 4
    start = [torch.randn(batch, HIDDEN) * float(started) for _ in range(2)]
    actions = torch.stack([torch.randint(n, (batch,)) for n in tokens], 1)
    reward = 1.2 + torch.rand(batch)
    out = {f"param.{k}": v.clone() for k, v in net.state_dict().items()}
    net.double()
    x = torch.zeros(batch, HIDDEN, dtype=torch.float64)
    if with_previous:
        previous = torch.randint(2, (batch,))
        # The shortcut is the last token in this order, and so the last segment of the table.
        x = net.encoder(previous + sum(tokens[:-1]))
        out["previous"] = previous
    logits, log_probs, entropies, (h, c) = net(x, [s.double() for s in start], actions)
    baseline, weight = torch.tensor(1.4), torch.tensor(0.02)
    old = 1.3 + 0.2 * torch.rand(1, len(tokens))
    found, updated = losses(
        log_probs, entropies, reward.double(), baseline.double(), weight.double(), old.double()
    )
    for prefix, loss in found.items():
        out[f"{prefix}loss"] = loss.detach()
        grads = torch.autograd.grad(loss, list(net.parameters()), retain_graph=True)
        for (name, _), grad in zip(net.named_parameters(), grads):
            out[f"{prefix}grad.{name}"] = grad
    if updated is not None:
        out["released.previous"], out["released.baseline"] = old, updated.detach()
    out |= {f"logits.{i}": logit.detach() for i, logit in enumerate(logits)}
    out |= {"tokens": torch.tensor(tokens), "actions": actions, "reward": reward}
    out |= {"start_h": start[0], "start_c": start[1], "end_h": h.detach(), "end_c": c.detach()}
    out |= {"log_probs": log_probs.detach(), "entropies": entropies.detach()}
    out |= {"baseline": baseline, "entropy_weight": weight}
    narrow = lambda v: v if v.dtype == torch.int64 else v.float()
    return {k: narrow(v).contiguous() for k, v in out.items()}


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    seed = 4100
    for batch in (1, 3):
        for stage, tokens in RELEASED.items():
            seed += 1
            save_file(make(tokens, batch, seed, False), folder / f"released{stage}_batch{batch}.safetensors")
        for stage, tokens in SKIPS_FIRST.items():
            seed += 1
            save_file(make(tokens, batch, seed, True), folder / f"skips_first{stage}_batch{batch}.safetensors")
    seed += 1
    joint = RELEASED[0] + SKIPS_FIRST[1] + SKIPS_FIRST[2]
    save_file(make(joint, 3, seed, False), folder / "joint_batch3.safetensors")


if __name__ == "__main__":
    main()
