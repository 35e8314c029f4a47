//! An [`Account`] answers a strategy's queries from a world, and keeps account of what they cost.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use autogan_strategies::{Objective, Observation, Point, Query};

use crate::error::{CompareError, Result};
use crate::testbed::World;

/// A strategy that asks so many queries in a row at no cost does not come to an end.
const MOST_FREE: usize = 10_000;

/// The objective of one run.
pub(crate) struct Account<'a> {
    world: &'a dyn World,
    /// After so many evaluations the budget is spent.
    most: usize,
    stop: &'a AtomicBool,
    /// What was paid for each training: a point and its repeat.
    paid: HashMap<(Point, usize), f64>,
    asked: Vec<Query>,
    free: usize,
}

impl<'a> Account<'a> {
    pub fn new(world: &'a dyn World, most: usize, stop: &'a AtomicBool) -> Self {
        Self { world, most, stop, paid: HashMap::new(), asked: Vec::new(), free: 0 }
    }

    /// The queries in their order.
    pub fn asked(&self) -> &[Query] {
        &self.asked
    }
}

impl Objective for Account<'_> {
    type Error = CompareError;

    fn evaluate(&mut self, query: &Query) -> Result<Observation> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(CompareError::Stopped);
        }
        if self.asked.len() == self.most {
            return Ok(Observation { query: query.clone(), value: None, cost: f64::INFINITY });
        }
        let outcome = self.world.training(query)?;
        let paid = self.paid.entry((query.point.clone(), query.repeat)).or_insert(0.0);
        let cost = (outcome.cost - *paid).max(0.0);
        *paid += cost;
        self.free = if cost > 0.0 { 0 } else { self.free + 1 };
        if self.free == MOST_FREE {
            return Err(CompareError::Endless { queries: MOST_FREE });
        }
        self.asked.push(query.clone());
        Ok(Observation { query: query.clone(), value: outcome.value, cost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::Synthetic;
    use crate::testbed::Testbed;

    #[test]
    fn a_training_that_goes_on_costs_the_difference() {
        let testbed = Synthetic::new(1).unwrap();
        let world = testbed.world(0).unwrap();
        let stop = AtomicBool::new(false);
        let mut account = Account::new(world.as_ref(), 6, &stop);
        let mut cost = |at: usize, fidelity, repeat| {
            let query = Query { point: testbed.space().at(at), fidelity, repeat };
            account.evaluate(&query).unwrap().cost
        };
        // A training to the end costs 2.5 seconds, to a quarter of it 0.625.
        assert_eq!(cost(0, 0, 0), 0.625);
        assert_eq!(cost(0, 2, 0), 1.875);
        assert_eq!(cost(0, 1, 0), 0.0, "it was scored there on its way");
        assert_eq!(cost(0, 2, 1), 2.5, "another training");
        assert_eq!(cost(1, 1, 0), 1.25, "another point");
        assert_eq!(cost(1, 1, 0), 0.0);
        assert_eq!(cost(1, 2, 0), f64::INFINITY, "six evaluations were all");
        assert_eq!(account.asked().len(), 6);
        stop.store(true, Ordering::Relaxed);
        let query = account.asked()[0].clone();
        assert!(account.evaluate(&query).unwrap_err().is_stop());
    }
}
