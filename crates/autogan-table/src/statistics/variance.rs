//! [`Components`] splits the spread of scores into what differs between architectures and what differs between the
//! seeds of one.

/// The variance components of a one-way layout with random effects: score = mean + architecture + noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Components {
    /// Variance of the architectures' true values. The estimate is unbiased, so it can be below zero.
    pub between: f64,
    /// Variance between the seeds of one architecture, pooled.
    pub within: f64,
    /// Degrees of freedom of `within`: values less architectures.
    pub freedom: usize,
    /// How many architectures there are.
    pub groups: usize,
}

impl Components {
    /// The components of `groups`, one for each architecture, with a value for each seed. Groups may differ in size;
    /// empty ones do not count. `None` with fewer than two groups, or when no group has two values.
    ///
    /// This is the estimate by analysis of variance (Searle, Casella and McCulloch, *Variance Components*, 1992,
    /// section 3.6): with k groups of n_i values, N in all, E(MSB) = within + n₀ · between for
    /// n₀ = (N − Σ n_i² / N) / (k − 1).
    pub fn of<G: AsRef<[f64]>>(groups: &[G]) -> Option<Self> {
        let groups: Vec<&[f64]> =
            groups.iter().map(AsRef::as_ref).filter(|group| !group.is_empty()).collect();
        let (within, freedom) = pooled_variance(&groups)?;
        let last = groups.len().checked_sub(1).filter(|&last| last > 0)? as f64;
        let count: f64 = groups.iter().map(|group| group.len() as f64).sum();
        let grand = groups.iter().copied().flatten().sum::<f64>() / count;
        let (mut squares, mut sizes) = (0.0, 0.0);
        for group in &groups {
            let n = group.len() as f64;
            squares += n * (autogan_stats::mean(group) - grand).powi(2);
            sizes += n * n;
        }
        let per_group = (count - sizes / count) / last;
        let between = (squares / last - within) / per_group;
        Some(Self { between, within, freedom, groups: groups.len() })
    }

    /// The reliability of one seed: which share of the variance of scores is of the architectures. It is the
    /// correlation of the scores of two seeds. An estimate below zero is given as 0; NaN when nothing varies.
    pub fn reliability(&self) -> f64 {
        let between = self.between.max(0.0);
        between / (between + self.within)
    }
}

/// The variance within `groups`, pooled over all, with its degrees of freedom; `None` when no group has two values.
pub fn pooled_variance<G: AsRef<[f64]>>(groups: &[G]) -> Option<(f64, usize)> {
    let (mut squares, mut freedom) = (0.0, 0);
    for group in groups.iter().map(AsRef::as_ref).filter(|group| group.len() > 1) {
        let mean = autogan_stats::mean(group);
        squares += group.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        freedom += group.len() - 1;
    }
    (freedom > 0).then(|| (squares / freedom as f64, freedom))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "expected {expected}, found {found}");
    }

    #[test]
    fn groups_of_one_size_by_hand() {
        // Means 2, 5, 8; squares within 2 each, so 6 over 3 degrees. Grand mean 5: MSB = 2·(9 + 0 + 9) / 2 = 18.
        let groups = [[1.0, 3.0], [4.0, 6.0], [7.0, 9.0]];
        let found = Components::of(&groups).unwrap();
        close(found.within, 2.0);
        close(found.between, 8.0);
        close(found.reliability(), 0.8);
        assert_eq!((found.freedom, found.groups), (3, 3));
    }

    #[test]
    fn groups_of_different_sizes_by_hand() {
        // Means 2, 6, 4; within 2 + 0 + 0 + 2 over (2−1) + 0 + (2−1). N = 5, grand mean 18/5 = 3.6.
        // MSB = (2·2.56 + 5.76 + 2·0.16) / 2 = 5.6; n₀ = (5 − 9/5) / 2 = 1.6; between = (5.6 − 2) / 1.6.
        let groups = [vec![1.0, 3.0], vec![6.0], vec![3.0, 5.0], vec![]];
        let found = Components::of(&groups).unwrap();
        close(found.within, 2.0);
        close(found.between, 2.25);
        assert_eq!((found.freedom, found.groups), (2, 3));
    }

    #[test]
    fn noise_alone_has_no_reliability() {
        let found = Components::of(&[[1.0, 3.0], [3.0, 1.0]]).unwrap();
        close(found.between, -1.0);
        close(found.reliability(), 0.0);
    }

    #[test]
    fn too_few_values_give_nothing() {
        assert_eq!(Components::of(&[vec![1.0, 2.0]]), None);
        assert_eq!(Components::of(&[vec![1.0], vec![2.0]]), None);
        assert_eq!(Components::of::<Vec<f64>>(&[]), None);
        assert_eq!(pooled_variance(&[[1.0]]), None);
    }
}
