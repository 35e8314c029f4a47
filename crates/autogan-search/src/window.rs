//! [`LossWindows`] holds the moving windows of losses that dynamic reset looks at (section 3.3.1).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::config::{ResetConfig, ResetStatistic};

/// The last losses of generator and discriminator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LossWindows {
    g: VecDeque<f64>,
    d: VecDeque<f64>,
}

impl LossWindows {
    /// Adds a loss of the discriminator.
    pub fn push_d(&mut self, loss: f64, config: &ResetConfig) {
        push(&mut self.d, loss, config.window);
    }

    /// Adds a loss of the generator.
    pub fn push_g(&mut self, loss: f64, config: &ResetConfig) {
        push(&mut self.g, loss, config.window);
    }

    /// Forgets all losses.
    pub fn clear(&mut self) {
        self.g.clear();
        self.d.clear();
    }

    /// The spreads (generator, discriminator) when the generator's window is full and either lies below the
    /// threshold: shared training stands still.
    pub fn standing_still(&self, config: &ResetConfig) -> Option<(f64, f64)> {
        if !config.enabled || self.g.len() < config.window {
            return None;
        }
        let (g, d) = (spread(&self.g, config.statistic), spread(&self.d, config.statistic));
        (g < config.threshold || d < config.threshold).then_some((g, d))
    }
}

fn push(window: &mut VecDeque<f64>, loss: f64, size: usize) {
    // More than one goes where a resumed run has a shorter window.
    while window.len() >= size {
        window.pop_front();
    }
    window.push_back(loss);
}

/// Population variance, or its root.
fn spread(values: &VecDeque<f64>, statistic: ResetStatistic) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
    match statistic {
        ResetStatistic::Variance => variance,
        ResetStatistic::Std => variance.sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{RankOrder, ResetCheck};

    fn config(statistic: ResetStatistic, threshold: f64) -> ResetConfig {
        ResetConfig {
            enabled: true,
            window: 4,
            threshold,
            statistic,
            check: ResetCheck::DStep,
            clear_on_growth: true,
            rank: RankOrder::BeforeReset,
        }
    }

    /// Losses that swing by ±0.1: variance 0.01, standard deviation 0.1.
    fn swinging(config: &ResetConfig, n: usize) -> LossWindows {
        let mut windows = LossWindows::default();
        for i in 0..n {
            let swing = if i % 2 == 0 { 0.1 } else { -0.1 };
            windows.push_g(1.0 + swing, config);
            windows.push_d(2.0 + 10.0 * swing, config);
        }
        windows
    }

    #[test]
    fn fires_when_full_and_below_the_threshold_in_the_named_statistic() {
        let variance = config(ResetStatistic::Variance, 0.05);
        assert!(swinging(&variance, 3).standing_still(&variance).is_none(), "not full");
        let (g, d) = swinging(&variance, 9).standing_still(&variance).unwrap();
        assert!((g - 0.01).abs() < 1e-12 && (d - 1.0).abs() < 1e-12);
        let std = config(ResetStatistic::Std, 0.05);
        assert!(swinging(&std, 9).standing_still(&std).is_none(), "0.1 is above 0.05");
        let off = ResetConfig { enabled: false, ..variance };
        assert!(swinging(&off, 9).standing_still(&off).is_none());
    }

    #[test]
    fn forgets_old_losses_and_all_of_them_when_cleared() {
        let config = config(ResetStatistic::Variance, 1e-6);
        let mut windows = swinging(&config, 9);
        for _ in 0..4 {
            windows.push_g(1.0, &config);
            windows.push_d(1.0, &config);
        }
        assert_eq!(windows.standing_still(&config), Some((0.0, 0.0)));
        windows.clear();
        assert!(windows.standing_still(&config).is_none());
    }
}
