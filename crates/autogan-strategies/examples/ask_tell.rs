//! This program measures how long [`Strategy::ask`] and [`Strategy::tell`] take with up to 1,000 observations.
//!
//! `cargo run --release -p autogan-strategies --example ask_tell [NAME …]` prints for each strategy the median and the
//! largest time of a call in milliseconds, and a hash of all queries: two builds with the same hash ask the same.

#![allow(clippy::print_stdout)] // printing the times is this program's task

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::time::Instant;

use autogan_strategies::{Fidelity, Observation, Problem, Query, Result, Space, StrategyKind};

/// The number of observations.
const COUNT: usize = 1_000;

/// A value between 0 and the number of tokens, with a bit of noise that follows from the query.
fn value(query: &Query) -> f64 {
    let mut hasher = DefaultHasher::new();
    query.hash(&mut hasher);
    let noise = (hasher.finish() % 1_000) as f64 / 1_000.0;
    let effects = query
        .point
        .0
        .iter()
        .zip(1..)
        .map(|(&choice, token)| f64::from(choice) * f64::from(token * 7 % 11 - 5) / 10.0);
    effects.sum::<f64>() + noise
}

/// The milliseconds of a call, and what it gave.
fn timed<T>(call: impl FnOnce() -> T) -> (f64, T) {
    let start = Instant::now();
    let given = call();
    (start.elapsed().as_secs_f64() * 1e3, given)
}

fn main() -> Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    let length = |cost: f64| Fidelity { name: format!("length {cost}"), cost, continues: true };
    let fidelities: Vec<Fidelity> = [1.0, 3.0, 9.0].map(length).into();
    let problem = Problem { space: Space::of_archs(3), fidelities, budget: 1e4 };
    println!("strategy             ask: median   largest  tell: median   largest  hash of queries");
    for kind in StrategyKind::ALL {
        if !names.is_empty() && !names.iter().any(|name| name == kind.name) {
            continue;
        }
        let mut strategy = kind.build(problem.clone(), 1)?;
        let (mut asks, mut tells, mut hasher) = (Vec::new(), Vec::new(), DefaultHasher::new());
        while tells.len() < COUNT {
            let (ms, queries) = timed(|| strategy.ask(1));
            asks.push(ms);
            let Some(query) = queries?.pop() else { break };
            query.hash(&mut hasher);
            let observation = Observation { value: Some(value(&query)), query, cost: 1.0 };
            let (ms, told) = timed(|| strategy.tell(&observation));
            told?;
            tells.push(ms);
        }
        [&mut asks, &mut tells].iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
        let [a, b] =
            [&asks, &tells].map(|t| format!("{:12.4} {:9.4}", t[t.len() / 2], t[t.len() - 1]));
        println!("{:19} {a}  {b}  {:016x}  ({} told)", kind.name, hasher.finish(), tells.len());
    }
    Ok(())
}
