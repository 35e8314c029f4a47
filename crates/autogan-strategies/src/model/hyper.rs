//! [`Hyper`] holds the hyperparameters of a model, and climbs to a higher marginal likelihood.
//!
//! All of them are positive and kept as logarithms. Each has a normal prior, which stands in while the observations are few.

use serde::{Deserialize, Serialize};

/// Where a hyperparameter's logarithm is expected, and how surely.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prior {
    centre: f64,
    spread: f64,
}

impl Prior {
    /// A prior around a value, with the standard deviation of its logarithm.
    pub fn around(value: f64, spread: f64) -> Self {
        Self { centre: value.ln(), spread }
    }
}

/// Logarithms of hyperparameters: those of the function, the noise, then slope, noise and bias of each lower fidelity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hyper {
    logs: Vec<f64>,
    /// The next step to try of each, with its sign.
    steps: Vec<f64>,
    /// The one to try next.
    next: usize,
}

/// The hyperparameters by name, in units of the spread of the values.
#[derive(Clone, Debug)]
pub(crate) struct Scales {
    /// Those of the function.
    pub function: Vec<f64>,
    /// The standard deviation of a training's noise at the last fidelity.
    pub noise: f64,
    /// Those of each fidelity below the last.
    pub low: Vec<Low>,
}

/// How a lower fidelity follows the last.
#[derive(Clone, Debug)]
pub(crate) struct Low {
    pub slope: f64,
    /// The standard deviation of its own noise.
    pub noise: f64,
    /// The standard deviation of its bias over points.
    pub bias: f64,
}

/// The longest and the shortest step of a logarithm.
const STEPS: (f64, f64) = (1.0, 0.1);

/// The priors of all hyperparameters; `continues` tells of each lower fidelity whether it is a length of a training.
pub(crate) fn priors(function: Vec<Prior>, continues: &[bool]) -> Vec<Prior> {
    let mut priors = function;
    priors.push(Prior::around(0.45, 0.5));
    for &continues in continues {
        if continues {
            priors.extend([(0.9, 0.3), (0.3, 0.7), (0.35, 0.7)].map(|(v, s)| Prior::around(v, s)));
        } else {
            priors.extend([(0.5, 0.5), (0.5, 0.7), (0.7, 0.5)].map(|(v, s)| Prior::around(v, s)));
        }
    }
    priors
}

impl Hyper {
    /// The centres of the priors.
    pub fn new(priors: &[Prior]) -> Self {
        let logs: Vec<f64> = priors.iter().map(|prior| prior.centre).collect();
        Self { steps: vec![0.5; logs.len()], logs, next: 0 }
    }

    /// Whether these can be the hyperparameters of so many priors.
    pub fn fits(&self, priors: &[Prior]) -> bool {
        self.logs.len() == priors.len()
            && self.steps.len() == priors.len()
            && self.next < priors.len()
    }

    /// The values, of which the first `function` belong to the function.
    pub fn scales(&self, function: usize) -> Scales {
        scales(&self.logs, function)
    }

    /// Tries that many steps, one hyperparameter after the other, or one more where the last is tried in both directions. It
    /// keeps those that raise the marginal likelihood times the prior. A step that helps is tried longer the next time; one
    /// that helps in neither direction, shorter.
    pub fn climb(
        &mut self,
        priors: &[Prior],
        function: usize,
        tries: usize,
        evidence: impl Fn(&Scales) -> Option<f64>,
    ) {
        let score = |logs: &[f64]| {
            let penalty =
                logs.iter().zip(priors).map(|(log, p)| ((log - p.centre) / p.spread).powi(2));
            let penalty: f64 = penalty.sum();
            evidence(&scales(logs, function)).map(|evidence| evidence - 0.5 * penalty)
        };
        let Some(mut best) = score(&self.logs) else { return };
        let mut tried = 0;
        while tried < tries {
            let at = self.next;
            self.next = (at + 1) % self.logs.len();
            let step = self.steps[at];
            let mut found = false;
            for step in [step, -step] {
                let mut logs = self.logs.clone();
                logs[at] += step;
                tried += 1;
                if let Some(score) = score(&logs).filter(|&score| score > best) {
                    (best, self.logs, found) = (score, logs, true);
                    self.steps[at] = step.signum() * (1.5 * step.abs()).min(STEPS.0);
                    break;
                }
            }
            if !found {
                self.steps[at] = step.signum() * (0.5 * step.abs()).max(STEPS.1);
            }
        }
    }
}

fn scales(logs: &[f64], function: usize) -> Scales {
    let value = |at: usize| logs[at].exp();
    let low = (function + 1..logs.len()).step_by(3);
    Scales {
        function: (0..function).map(value).collect(),
        noise: value(function),
        low: low
            .map(|at| Low { slope: value(at), noise: value(at + 1), bias: value(at + 2) })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_climb_ends_near_the_maximum() {
        let priors = priors(vec![Prior::around(1.0, 10.0), Prior::around(2.0, 10.0)], &[]);
        let mut hyper = Hyper::new(&priors);
        assert!((hyper.scales(2).noise - 0.45).abs() < 1e-12);
        // The likelihood is so sharp that the priors move its maximum, at 3, 5 and 0.1, by little.
        let evidence = |scales: &Scales| {
            let far = |value: f64, at: f64| (value / at).ln().powi(2);
            let [one, two] = scales.function[..] else { return None };
            Some(-200.0 * (far(one, 3.0) + far(two, 5.0) + far(scales.noise, 0.1)))
        };
        hyper.climb(&priors, 2, 60, evidence);
        let scales = hyper.scales(2);
        for (found, expected) in
            [(scales.function[0], 3.0), (scales.function[1], 5.0), (scales.noise, 0.1)]
        {
            assert!(f64::ln(found / expected).abs() < 0.11, "{found} {expected}");
        }
    }
}
