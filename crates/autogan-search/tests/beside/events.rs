//! Compares the events of two searches or trainings.

use std::fmt;

use autogan_run::ModelScore;
use autogan_search::{SearchEvent, StepLosses, TrainingEvent};

/// The allowed difference of losses after this many training steps, relative to one and to themselves. The first value
/// covers the rounding of one pass through both networks. Adam divides a gradient by its own size, so a gradient that
/// consists of rounding (a bias before a norm) takes a whole step in a random direction, and the two sides drift apart
/// slowly. With emulated kernels the first losses lie 1e-7 apart, and those after a dozen steps up to 7e-5.
pub fn apart(steps: usize) -> f64 {
    if steps == 0 { 1e-5 } else { 5e-5 * steps as f64 }
}

/// The allowed difference of scores. Pixels are cut to whole numbers, so rounding moves some pixels by one. With
/// emulated kernels scores lie up to 4e-5 apart.
const SCORES: f64 = 5e-4;

/// Panics where the events of two searches differ by more than rounding.
pub fn same_search(here: &[SearchEvent], there: &[SearchEvent]) {
    same_course(here, there, |place, here, there| match (here, there) {
        (SearchEvent::Step(here), SearchEvent::Step(there)) => place.step(here, there),
        (SearchEvent::Scored(s), SearchEvent::Scored(s2)) => {
            assert_eq!(s.arch, s2.arch, "{place}: another architecture was drawn");
            place.near("reward", s.reward, s2.reward, SCORES);
            place.near("its spread", s.spread, s2.spread, SCORES);
        }
        (SearchEvent::Controller { report: r, .. }, SearchEvent::Controller { report: r2, .. }) => {
            place.near("loss of the controller", r.loss, r2.loss, SCORES);
            place.near("baseline", r.baseline, r2.baseline, SCORES);
            place.near("entropy", r.mean_entropy, r2.mean_entropy, SCORES);
        }
        (SearchEvent::Beam { entries, .. }, SearchEvent::Beam { entries: entries2, .. }) => {
            assert_eq!(entries.len(), entries2.len(), "{place}");
            for ((arch, reward), (arch2, reward2)) in entries.iter().zip(entries2) {
                assert_eq!(arch, arch2, "{place}: another architecture goes on");
                place.near("reward of the beam", *reward, *reward2, SCORES);
            }
        }
        (SearchEvent::Policy { probabilities: p }, SearchEvent::Policy { probabilities: p2 }) => {
            assert_eq!(p.len(), p2.len(), "{place}");
            for ((_, choice, p), (_, choice2, p2)) in p.iter().zip(p2) {
                assert_eq!(choice, choice2, "{place}");
                place.near("probability", *p, *p2, SCORES);
            }
        }
        (SearchEvent::Found(found), SearchEvent::Found(found2)) => {
            let archs = |top: &[autogan_run::FoundArch]| {
                top.iter().map(|found| format!("{:?}", found.arch)).collect::<Vec<_>>()
            };
            let (here, there) = (archs(&found.top), archs(&found2.top));
            assert_eq!(here, there, "{place}: other architectures were found");
        }
        (here, there) => place.same_kind(here, there),
    });
}

/// Panics where the events of two trainings differ by more than rounding.
pub fn same_training(here: &[TrainingEvent], there: &[TrainingEvent]) {
    same_course(here, there, |place, here, there| match (here, there) {
        (TrainingEvent::Step(here), TrainingEvent::Step(there)) => place.step(here, there),
        (TrainingEvent::Measured { score, .. }, TrainingEvent::Measured { score: score2, .. }) => {
            place.scores(score, score2)
        }
        (here, there) => place.same_kind(here, there),
    });
}

/// Compares events one by one.
fn same_course<E>(here: &[E], there: &[E], compare: impl Fn(&mut Place, &E, &E)) {
    let mut place = Place { at: 0, steps: 0 };
    for (here, there) in here.iter().zip(there) {
        compare(&mut place, here, there);
        place.at += 1;
    }
    assert_eq!(here.len(), there.len(), "one course is longer");
}

/// A position among the events.
#[derive(Clone, Copy)]
struct Place {
    /// The number of the event.
    at: usize,
    /// The training steps before it.
    steps: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "event {}, after {} steps", self.at, self.steps)
    }
}

impl Place {
    fn step(&mut self, here: &StepLosses, there: &StepLosses) {
        self.near("loss of D", here.d_loss, there.d_loss, apart(self.steps));
        let (g, g2) = (here.g_loss, there.g_loss);
        assert_eq!(g.is_some(), g2.is_some(), "{self}: a G step on one side");
        if let (Some(g), Some(g2)) = (g, g2) {
            self.near("loss of G", g, g2, apart(self.steps + 1));
        }
        self.steps += 1;
    }

    fn same_kind<E: fmt::Debug>(&self, here: &E, there: &E) {
        let kind = std::mem::discriminant::<E>;
        assert_eq!(kind(here), kind(there), "{self}: {here:?} here, {there:?} there");
    }

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
