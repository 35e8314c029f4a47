//! Fidelities as the rungs of successive halving: how many points climb from one to the next, and what a step costs.

use crate::strategy::Problem;

/// Of how many points one climbs at the least and at the most: Li et al. (*Hyperband*, JMLR 2018, arXiv 1603.06560)
/// recommend 3 or 4. Less wastes long trainings on points that the short ones have ruled out.
const ETA: (f64, f64) = (3.0, 4.0);

impl Problem {
    /// Of how many points one climbs from a fidelity to the next: the ratio of the costs, so that each rung takes about
    /// the same part of the budget, but 3 at the least and 4 at the most.
    pub(crate) fn eta(&self, fidelity: usize) -> f64 {
        let cost = |at: usize| self.fidelities[at].cost;
        (cost(fidelity + 1) / cost(fidelity)).clamp(ETA.0, ETA.1)
    }

    /// What a query at a fidelity costs when the point was asked at all fidelities before: the difference to the length
    /// before where a training goes on.
    pub(crate) fn step_cost(&self, fidelity: usize) -> f64 {
        let before = self.fidelities[..fidelity].iter().rev().find(|before| before.continues);
        let this = &self.fidelities[fidelity];
        this.cost - before.filter(|_| this.continues).map_or(0.0, |before| before.cost)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Fidelity, Problem, Space};

    #[test]
    fn costs_and_shares_follow_from_the_fidelities() {
        let fidelity = |cost: f64, continues| Fidelity { name: cost.to_string(), cost, continues };
        let fidelities = vec![
            fidelity(0.5, false),
            fidelity(6.0, true),
            fidelity(9.0, true),
            fidelity(31.5, true),
        ];
        let problem = Problem { space: Space::of_archs(1), fidelities, budget: 1.0 };
        // A score on shared weights is no beginning of a training.
        assert_eq!([0, 1, 2, 3].map(|at| problem.step_cost(at)), [0.5, 6.0, 3.0, 22.5]);
        assert_eq!([0, 1, 2].map(|at| problem.eta(at)), [4.0, 3.0, 3.5]);
    }
}
