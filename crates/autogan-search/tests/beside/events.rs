//! Two courses of events side by side.

use std::fmt;

use autogan_run::ModelScore;
use autogan_search::Event;

/// How many events of a course say something about numbers.
#[derive(Debug, Default)]
pub struct Told {
    pub losses: usize,
    pub scored: usize,
    pub controller: usize,
    pub measured: usize,
}

pub fn told(events: &[Event]) -> Told {
    let mut told = Told::default();
    for event in events {
        match event {
            Event::Shared { .. } => told.losses += 1,
            Event::Scored { .. } => told.scored += 1,
            Event::Controller { .. } => told.controller += 1,
            Event::Measured { .. } => told.measured += 1,
            _ => {}
        }
    }
    told
}

/// How far losses may lie apart after so many steps, relative to one and to themselves. The first is what rounding makes
/// of one pass through both networks. Adam divides a gradient by its own size, so a gradient that is nothing but rounding
/// (a bias before a norm) takes a whole step in a direction of its own, and the two courses part slowly. By emulated
/// kernels the first lie 1e-7 apart, and those after a dozen steps up to 7e-5.
pub fn apart(steps: usize) -> f64 {
    if steps == 0 { 1e-5 } else { 5e-5 * steps as f64 }
}

/// How far scores may lie apart: pixels are cut off to whole numbers, so that rounding moves some by one. By emulated
/// kernels they lie up to 4e-5 apart.
const SCORES: f64 = 5e-4;

/// Panics where the courses differ by more than rounding makes of them.
pub fn same_course(here: &[Event], there: &[Event]) {
    let mut steps = 0;
    for (at, (here, there)) in here.iter().zip(there).enumerate() {
        let place = Place { at, steps };
        match (here, there) {
            (
                Event::Shared { d_loss: d, g_loss: g, .. },
                Event::Shared { d_loss: d2, g_loss: g2, .. },
            ) => {
                place.near("loss of D", *d, *d2, apart(steps));
                assert_eq!(g.is_some(), g2.is_some(), "{place}: a G step on one side");
                if let (Some(g), Some(g2)) = (g, g2) {
                    place.near("loss of G", *g, *g2, apart(steps + 1));
                }
                steps += 1;
            }
            (
                Event::Scored { arch, reward, spread, .. },
                Event::Scored { arch: arch2, reward: reward2, spread: spread2, .. },
            ) => {
                assert_eq!(arch, arch2, "{place}: another architecture was drawn");
                place.near("reward", *reward, *reward2, SCORES);
                place.near("its spread", *spread, *spread2, SCORES);
            }
            (Event::Controller { report: r, .. }, Event::Controller { report: r2, .. }) => {
                place.near("loss of the controller", r.loss, r2.loss, SCORES);
                place.near("baseline", r.baseline, r2.baseline, SCORES);
                place.near("entropy", r.mean_entropy, r2.mean_entropy, SCORES);
            }
            (Event::Beam { entries, .. }, Event::Beam { entries: entries2, .. }) => {
                assert_eq!(entries.len(), entries2.len(), "{place}");
                for ((arch, reward), (arch2, reward2)) in entries.iter().zip(entries2) {
                    assert_eq!(arch, arch2, "{place}: another architecture goes on");
                    place.near("reward of the beam", *reward, *reward2, SCORES);
                }
            }
            (Event::Policy { probabilities: p }, Event::Policy { probabilities: p2 }) => {
                assert_eq!(p.len(), p2.len(), "{place}");
                for ((_, choice, p), (_, choice2, p2)) in p.iter().zip(p2) {
                    assert_eq!(choice, choice2, "{place}");
                    place.near("probability", *p, *p2, SCORES);
                }
            }
            (Event::Measured { score, .. }, Event::Measured { score: score2, .. }) => {
                place.scores(score, score2);
            }
            (Event::Found { top, .. }, Event::Found { top: top2, .. }) => {
                let archs = |top: &[autogan_run::FoundArch]| {
                    top.iter().map(|found| format!("{:?}", found.arch)).collect::<Vec<_>>()
                };
                assert_eq!(archs(top), archs(top2), "{place}: other architectures were found");
            }
            (here, there) => assert_eq!(
                std::mem::discriminant(here),
                std::mem::discriminant(there),
                "{place}: {here:?} here, {there:?} there"
            ),
        }
    }
    assert_eq!(here.len(), there.len(), "one course is longer");
}

/// Where in a course.
#[derive(Clone, Copy)]
struct Place {
    /// Number of the event.
    at: usize,
    /// Steps of training before it.
    steps: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}, after {} steps", self.at, self.steps)
    }
}

impl Place {
    fn near(&self, what: &str, here: f64, there: f64, tolerance: f64) {
        // Written so that NaN fails.
        let near = (here - there).abs() <= tolerance * (1.0 + here.abs());
        assert!(near, "{self}: {what} is {here} on the CPU, {there} at the other place");
    }

    fn scores(&self, here: &ModelScore, there: &ModelScore) {
        self.near("score", here.is, there.is, SCORES);
        assert_eq!(here.frechet.is_some(), there.frechet.is_some(), "{self}");
        if let (Some(here), Some(there)) = (here.frechet, there.frechet) {
            self.near("distance", here, there, SCORES);
        }
    }
}
