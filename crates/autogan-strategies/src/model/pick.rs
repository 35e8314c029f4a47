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
    /// Those that were evaluated at the last fidelity at which there is a value.
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
        let at = |fidelity: usize| -> BTreeSet<&Point> {
            let seen = self.observations().iter();
            let valued =
                seen.filter(|one| one.query.fidelity == fidelity && one.finite().is_some());
            valued.map(|one| &one.query.point).collect()
        };
        let levels = (0..self.problem().fidelities.len()).rev().map(at);
        let points = levels.into_iter().find(|points| !points.is_empty()).unwrap_or_default();
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
