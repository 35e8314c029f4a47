//! [`Asked`] knows which points a strategy has asked, and which it may ask again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::space::{Point, Space};

/// How many trainings of each point were asked.
///
/// In a large space each point is asked once: a new point says more about the model's effects than a second training of an
/// old one, whose rest that the model does not explain would not average out. From the moment that half of the points were
/// asked, all may be asked again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Asked(#[serde(with = "pairs")] BTreeMap<Point, usize>);

impl Asked {
    /// Whether a point may be asked.
    pub fn may_ask(&self, space: &Space, point: &Point) -> bool {
        2 * self.0.len() >= space.count() || !self.0.contains_key(point)
    }

    /// The number of points.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a point was asked.
    pub fn contains(&self, point: &Point) -> bool {
        self.0.contains_key(point)
    }

    /// Notes a training of a point, and gives its number, from 0.
    pub fn insert(&mut self, point: &Point) -> usize {
        let count = self.0.entry(point.clone()).or_default();
        *count += 1;
        *count - 1
    }
}

/// JSON has no maps whose keys are lists: the map is a list of pairs.
mod pairs {
    use super::{BTreeMap, Point};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(
        map: &BTreeMap<Point, usize>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<BTreeMap<Point, usize>, D::Error> {
        Ok(Vec::<(Point, usize)>::deserialize(from)?.into_iter().collect())
    }
}
