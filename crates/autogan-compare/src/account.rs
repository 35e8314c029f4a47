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
    /// Queries for trainings beyond those that the world has of their point.
    again: usize,
}

impl<'a> Account<'a> {
    pub fn new(world: &'a dyn World, most: usize, stop: &'a AtomicBool) -> Self {
        Self { world, most, stop, paid: HashMap::new(), asked: Vec::new(), free: 0, again: 0 }
    }

    /// The queries in their order.
    pub fn asked(&self) -> &[Query] {
        &self.asked
    }

    /// How many trainings were begun.
    pub fn trainings(&self) -> usize {
        self.paid.len()
    }

    /// How many queries asked for a training once more because the world had no other of its point.
    pub fn again(&self) -> usize {
        self.again
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
        if self.world.trainings(&query.point).is_some_and(|most| query.repeat >= most) {
            self.again += 1;
        }
        self.asked.push(query.clone());
        Ok(Observation { query: query.clone(), value: outcome.value, cost })
    }
}
