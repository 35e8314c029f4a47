//! A [`Testbed`] is what strategies are compared on; a [`World`] is what one seed draws from it.

use std::collections::BTreeSet;

use autogan_strategies::{Fidelity, Point, Query, Space};
use serde::Serialize;

use crate::error::Result;

/// What a testbed is, for the reader of a page.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct About {
    /// Its name in a few words.
    pub name: String,
    /// What a value is, such as `−log F`; higher is better.
    pub value: String,
    /// The unit of costs, such as `thread-seconds`.
    pub unit: String,
    /// What the reader has to know, each in a sentence or two.
    pub notes: Vec<String>,
}

/// What a training gives at one of its lengths.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Its value; `None` when the networks had diverged.
    pub value: Option<f64>,
    /// What it costs from its beginning to this length.
    pub cost: f64,
}

/// What strategies are compared on.
pub trait Testbed: Sync {
    /// What it is.
    fn about(&self) -> &About;

    /// The points.
    fn space(&self) -> &Space;

    /// The lengths of a training, with their mean costs.
    fn fidelities(&self) -> &[Fidelity];

    /// The standard deviation of a single training's value at the last fidelity around the value of its point.
    fn noise(&self) -> f64;

    /// What a seed draws. Nothing of it depends on what a strategy asks.
    ///
    /// # Errors
    /// When it cannot be drawn.
    fn world(&self, seed: u64) -> Result<Box<dyn World + '_>>;
}

/// What one seed draws from a [`Testbed`]: every training that a strategy can ask for, and what points are worth.
pub trait World: Sync {
    /// What a training gives.
    ///
    /// # Errors
    /// When the query's point or fidelity is not of the testbed.
    fn training(&self, query: &Query) -> Result<Outcome>;

    /// How many different trainings of a point can be asked for; `None`: as many as wanted. A repeat beyond them is one
    /// of them once more.
    fn trainings(&self, point: &Point) -> Option<usize>;

    /// What a point is worth to a strategy that was told these repeats of it. Where a value is known from trainings
    /// only, it is the mean of those that the strategy was not told.
    ///
    /// # Errors
    /// When the point is not of the testbed.
    fn judged(&self, point: &Point, told: &BTreeSet<usize>) -> Result<f64>;

    /// The best estimate of a point's value.
    ///
    /// # Errors
    /// When the point is not of the testbed.
    fn value(&self, point: &Point) -> Result<f64>;

    /// The value of the best point.
    fn best(&self) -> f64;

    /// The mean value of all points.
    fn average(&self) -> f64;
}
