//! The events of a search or a training as JSON, one object per line: `--log-format json`.

use autogan_search::{Event, Position};
use serde_json::{Value, json};

/// An event as an object with `event`, its name, and where the search was.
pub fn object(event: &Event, at: Position) -> Value {
    let mut object = fields(event);
    if let Value::Object(map) = &mut object {
        map.insert("iteration".into(), at.iteration.into());
        map.insert("level".into(), "info".into());
        map.entry("stage").or_insert(at.stage.into());
    }
    object
}

/// An event as an object with `event`, its name.
pub fn fields(event: &Event) -> Value {
    match event {
        Event::Stage { stage, side, iterations, real } => json!({
            "event": "stage", "stage": stage, "side": side, "first_iteration": iterations.0,
            "end_iteration": iterations.1, "real": real,
        }),
        Event::Iteration { shared_steps, controller_steps, .. } => json!({
            "event": "iteration", "shared_steps": shared_steps,
            "controller_steps": controller_steps,
        }),
        Event::Shared { step, d_loss, g_loss, images, .. } => json!({
            "event": "shared", "step": step, "d_loss": d_loss, "g_loss": g_loss, "images": images,
        }),
        Event::Reset { step, g_spread, d_spread } => json!({
            "event": "reset", "step": step, "g_spread": g_spread, "d_spread": d_spread,
        }),
        Event::Scored {
            kind,
            step,
            arch,
            score,
            spread,
            reward,
            entropy,
            advantage,
            baseline,
            seconds,
        } => json!({
            "event": "scored", "kind": kind.name(), "step": step, "arch": arch.to_string(),
            "named": arch.named(), "score": score, "spread": spread, "reward": reward,
            "entropy": entropy, "advantage": advantage, "baseline": baseline, "seconds": seconds,
        }),
        Event::Controller { step, report } => json!({
            "event": "controller", "step": step, "reward": report.mean_reward,
            "baseline": report.baseline, "entropy": report.mean_entropy, "loss": report.loss,
        }),
        Event::Drawn { step, mean_reward } => {
            json!({ "event": "drawn", "step": step, "reward": mean_reward })
        }
        Event::Images { so_far } => json!({
            "event": "images", "real": so_far.real, "fake": so_far.fake, "scored": so_far.scored,
        }),
        Event::Policy { probabilities } => {
            let all: Vec<Value> = probabilities
                .iter()
                .map(|(token, choice, p)| json!({ "token": token, "choice": choice, "p": p }))
                .collect();
            json!({ "event": "policy", "probabilities": all })
        }
        Event::Samples { tag, arch, n, side, .. } => json!({
            "event": "samples", "tag": tag, "arch": arch.to_string(), "images": n, "side": side,
        }),
        Event::Beam { stage, entries } => {
            let all: Vec<Value> = entries
                .iter()
                .map(|(arch, reward)| json!({ "arch": arch.to_string(), "reward": reward }))
                .collect();
            json!({ "event": "beam", "stage": stage, "entries": all })
        }
        Event::Found { top, score } => json!({ "event": "found", "top": top, "score": score }),
        Event::Real { score } => json!({ "event": "real", "score": score }),
        Event::Measured { score, best, seconds } => json!({
            "event": "measured", "score": score, "best": best, "seconds": seconds,
        }),
        Event::BestLost { lost, instead } => {
            json!({ "event": "best_lost", "lost": lost, "instead": instead })
        }
        Event::Trained { scores } => json!({ "event": "trained", "scores": scores }),
        // An event of a newer library: its name is better than nothing.
        other => json!({ "event": "other", "detail": format!("{other:?}") }),
    }
}
