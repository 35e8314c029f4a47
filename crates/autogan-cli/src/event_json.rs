//! This module writes the events of a search or a training as JSON, one object per line, for `--log-format json`.

use autogan_search::{Position, SampleGrid, SearchEvent, StepLosses, StrategyEvent, TrainingEvent};
use serde_json::{Value, json};

/// An event of a search as an object with `event`, its name, and where the search was.
pub fn of_search(event: &SearchEvent, at: Position) -> Value {
    let mut object = search_fields(event);
    if let Value::Object(map) = &mut object {
        map.insert("iteration".into(), at.iteration.into());
        map.insert("level".into(), "info".into());
        map.entry("stage").or_insert(at.stage.into());
    }
    object
}

/// An event of a training as an object with `event`, its name, and the G iterations that were done.
pub fn of_training(event: &TrainingEvent, g_iteration: u64) -> Value {
    let mut object = training_fields(event);
    if let Value::Object(map) = &mut object {
        map.insert("g_iteration".into(), g_iteration.into());
        map.insert("level".into(), "info".into());
    }
    object
}

/// An event of a search by trainings from scratch.
pub fn of_strategy(event: &StrategyEvent) -> Value {
    let mut object = match event {
        StrategyEvent::Real { value } => json!({ "event": "real", "value": value }),
        StrategyEvent::Advanced { spent, archs } => {
            let archs: Vec<String> = archs.iter().map(ToString::to_string).collect();
            json!({ "event": "advanced", "spent": spent, "archs": archs })
        }
        StrategyEvent::Evaluated(one) => json!({
            "event": "evaluated", "kind": one.kind.name(), "step": one.step, "arch": one.arch.to_string(),
            "iterations": one.length, "value": one.value, "is": one.is, "seconds": one.seconds,
        }),
        StrategyEvent::Leads { arch, belief } => json!({
            "event": "leads", "arch": arch.to_string(), "mean": belief.mean, "sd": belief.sd,
        }),
        StrategyEvent::Samples(grid) => samples(grid),
        StrategyEvent::Images { so_far } => json!({ "event": "images", "so_far": so_far }),
        StrategyEvent::Found(found) => json!({ "event": "found", "found": found }),
    };
    if let Value::Object(map) = &mut object {
        map.insert("level".into(), "info".into());
    }
    object
}

fn losses(losses: &StepLosses) -> Value {
    let StepLosses { step, d_loss, g_loss, images, .. } = losses;
    json!({ "event": "shared", "step": step, "d_loss": d_loss, "g_loss": g_loss, "images": images })
}

fn samples(grid: &SampleGrid) -> Value {
    let SampleGrid { tag, arch, n, side, .. } = grid;
    json!({ "event": "samples", "tag": tag, "arch": arch.to_string(), "images": n, "side": side })
}

fn training_fields(event: &TrainingEvent) -> Value {
    match event {
        TrainingEvent::Step(of) => losses(of),
        TrainingEvent::Samples(grid) => samples(grid),
        TrainingEvent::Real { score } => json!({ "event": "real", "score": score }),
        TrainingEvent::Measured { score, best, seconds } => json!({
            "event": "measured", "score": score, "best": best, "seconds": seconds,
        }),
        TrainingEvent::BestLost { lost, instead } => {
            json!({ "event": "best_lost", "lost": lost, "instead": instead })
        }
        TrainingEvent::Trained(scores) => json!({ "event": "trained", "scores": scores }),
    }
}

fn search_fields(event: &SearchEvent) -> Value {
    match event {
        SearchEvent::Stage { stage, side, iterations, real } => json!({
            "event": "stage", "stage": stage, "side": side, "first_iteration": iterations.0,
            "end_iteration": iterations.1, "real": real,
        }),
        SearchEvent::Iteration { shared_steps, controller_steps, .. } => json!({
            "event": "iteration", "shared_steps": shared_steps,
            "controller_steps": controller_steps,
        }),
        SearchEvent::Step(of) => losses(of),
        SearchEvent::Reset { step, g_spread, d_spread } => json!({
            "event": "reset", "step": step, "g_spread": g_spread, "d_spread": d_spread,
        }),
        SearchEvent::Scored(s) => json!({
            "event": "scored", "kind": s.kind.name(), "step": s.step, "arch": s.arch.to_string(),
            "named": s.arch.named(), "score": s.score, "spread": s.spread, "reward": s.reward,
            "entropy": s.entropy, "advantage": s.advantage, "baseline": s.baseline, "seconds": s.seconds,
        }),
        SearchEvent::Controller { step, report } => json!({
            "event": "controller", "step": step, "reward": report.mean_reward,
            "baseline": report.baseline, "entropy": report.mean_entropy, "loss": report.loss,
        }),
        SearchEvent::Drawn { step, mean_reward } => {
            json!({ "event": "drawn", "step": step, "reward": mean_reward })
        }
        SearchEvent::Images { so_far } => json!({
            "event": "images", "real": so_far.real, "fake": so_far.fake, "scored": so_far.scored,
        }),
        SearchEvent::Policy { probabilities } => {
            let all: Vec<Value> = probabilities
                .iter()
                .map(|(token, choice, p)| json!({ "token": token, "choice": choice, "p": p }))
                .collect();
            json!({ "event": "policy", "probabilities": all })
        }
        SearchEvent::Samples(grid) => samples(grid),
        SearchEvent::Beam { stage, entries } => {
            let all: Vec<Value> = entries
                .iter()
                .map(|(arch, reward)| json!({ "arch": arch.to_string(), "reward": reward }))
                .collect();
            json!({ "event": "beam", "stage": stage, "entries": all })
        }
        SearchEvent::Found(found) => {
            json!({ "event": "found", "top": found.top, "score": found.score })
        }
    }
}
