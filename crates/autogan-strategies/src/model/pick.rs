//! [`Surrogate::pick`] picks the winner of a search: the point with the highest posterior mean.
//!
//! The best observed value is that of a lucky training as often as that of a good point. The posterior mean weighs a value by
//! what similar points gave, and its standard deviation says how sure the winner's value is.

use std::collections::BTreeSet;

use crate::error::Result;
use crate::model::Surrogate;
use crate::space::Point;
use crate::strategy::Belief;

/// The points among which the winner is picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// Those that were evaluated at the last fidelity, or while there is none, at any.
    Evaluated,
    /// All of the space.
    All,
}

impl Surrogate {
    /// The point with the highest posterior mean; `None` before any finite value was told.
    ///
    /// # Errors
    /// When the model cannot be fitted.
    pub fn pick(&self, among: Among) -> Result<Option<Belief>> {
        let last = self.problem().fidelities.len() - 1;
        let valued =
            self.observations().iter().filter(|observation| observation.finite().is_some());
        let mut points: BTreeSet<&Point> = valued
            .clone()
            .filter(|observation| observation.query.fidelity == last)
            .map(|observation| &observation.query.point)
            .collect();
        if points.is_empty() {
            points = valued.map(|observation| &observation.query.point).collect();
        }
        if points.is_empty() {
            return Ok(None);
        }
        let fitted = self.fitted()?;
        let best = match among {
            Among::All => fitted.best(&self.problem().space),
            Among::Evaluated => {
                let valued = points.into_iter().map(|point| (fitted.mean(point), point));
                let best = valued.reduce(|best, next| if next.0 > best.0 { next } else { best });
                best.map(|(_, point)| point.clone())
            }
        };
        Ok(best.map(|point| {
            let belief = fitted.belief(&point);
            Belief { point, mean: belief.mean, sd: Some(belief.sd) }
        }))
    }
}
