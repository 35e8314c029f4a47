//! This module says which choices may follow the first ones of a point.

use crate::space::Space;

impl Space {
    /// Which choices of the next token lead to points of this space, after these choices for the first tokens; `None`
    /// where all do. The choices so far are the beginning of a point.
    ///
    /// It takes a time that grows with the logarithm of the number of points.
    pub fn choices_after(&self, begun: &[u8]) -> Option<Vec<bool>> {
        if !self.is_listed() {
            return None;
        }
        // The points are sorted: those that begin alike lie together.
        let choices = self.tokens()[begun.len()].choices.len() as u8;
        let leads = |choice| {
            let prefix = [begun, &[choice]].concat();
            let at = self.first_from(&prefix);
            at < self.count() && self.at(at).0.starts_with(&prefix)
        };
        Some((0..choices).map(leads).collect())
    }

    /// The index of the first point that is not below `bound`; the number of points where all are.
    fn first_from(&self, bound: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at(middle).0.as_slice() < bound { low = middle + 1 } else { high = middle }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_lead_to_points() {
        let all = Space::of_archs(2);
        assert_eq!(all.choices_after(&[0, 1]), None);
        let points: Vec<_> = (0..100).map(|at| all.at(at * at % 2_592)).collect();
        let some = all.only(points.clone()).unwrap();
        for point in &points {
            for length in 0..point.0.len() {
                let begun = &point.0[..length];
                let allowed = some.choices_after(begun).unwrap();
                assert_eq!(allowed.len(), some.tokens()[length].choices.len());
                for (choice, allowed) in (0..).zip(allowed) {
                    let prefix = [begun, &[choice]].concat();
                    assert_eq!(allowed, points.iter().any(|point| point.0.starts_with(&prefix)));
                }
            }
        }
    }
}
