//! This module says which share of the differences between architectures their tokens explain, each alone, all
//! together, and in pairs.
//!
//! A model with an indicator for each choice of each token (and of each pair) is fitted by least squares to the
//! architectures' means. A mean still holds noise; what it adds to the variance is taken off both of what there is and
//! of what remains: share = 1 − (RSS / (n − 1 − r) − noise) / (TSS / (n − 1) − noise), with r the rank of the model.
//! Without noise this is R² adjusted.

use autogan_space::{Arch, TokenKind, TokenOrder, stage_tokens};
use faer::Mat;

/// A model has to leave at least so many degrees of freedom; with fewer its share would be little but chance.
const MIN_FREEDOM: usize = 10;

/// Which indicators a model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Those of one token, by its place in [`tokens`].
    Token(usize),
    /// Those of all tokens.
    Tokens,
    /// Those of all tokens and of all pairs of tokens.
    Pairs,
}

/// A model fitted by least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fit {
    /// Observations.
    pub n: usize,
    /// Independent columns beside the constant.
    pub rank: usize,
    /// The sum of squares about the mean.
    pub total: f64,
    /// The sum of squares about the model.
    pub rest: f64,
}

impl Fit {
    /// The share of the variance that the model explains, when `noise` is the variance of the observations' noise.
    /// Chance can bring it below 0 or above 1. `None` when fewer than ten degrees of freedom remain, or when there is
    /// no variance beside the noise.
    pub fn share(&self, noise: f64) -> Option<f64> {
        let freedom = (self.n.checked_sub(1)?).checked_sub(self.rank)?;
        let total = self.total / (self.n as f64 - 1.0) - noise;
        let rest = self.rest / freedom as f64 - noise;
        (freedom >= MIN_FREEDOM && total > 0.0).then(|| 1.0 - rest / total)
    }
}

/// The tokens of architectures of so many cells, each with its cell (from 1), in the order of the released vector.
pub fn tokens(cells: usize) -> Vec<(usize, TokenKind)> {
    let of = |stage| stage_tokens(stage, TokenOrder::Released).into_iter();
    (0..cells).flat_map(|stage| of(stage).map(move |token| (stage + 1, token))).collect()
}

/// Fits a model to the values of architectures, which all have the same number of cells. `None` without any.
pub fn fit(model: Model, archs: &[&Arch], values: &[f64]) -> Option<Fit> {
    let tokens = tokens(archs.first()?.cells().len());
    let rows: Vec<Vec<f64>> = archs.iter().map(|arch| indicators(model, arch, &tokens)).collect();
    Some(least_squares(&rows, values))
}

/// The row of a model's columns for an architecture: an indicator for each choice but the first, then the products of
/// those of two tokens.
fn indicators(model: Model, arch: &Arch, tokens: &[(usize, TokenKind)]) -> Vec<f64> {
    let chosen = arch.to_released();
    let of = |at: usize| -> Vec<f64> {
        let choices = 1..tokens[at].1.choices();
        choices.map(|choice| f64::from(u8::from(usize::from(chosen[at]) == choice))).collect()
    };
    let groups: Vec<Vec<f64>> = match model {
        Model::Token(at) => vec![of(at)],
        Model::Tokens | Model::Pairs => (0..tokens.len()).map(of).collect(),
    };
    let mut row = groups.concat();
    if model == Model::Pairs {
        for (at, first) in groups.iter().enumerate() {
            for second in &groups[at + 1..] {
                row.extend(first.iter().flat_map(|a| second.iter().map(move |b| a * b)));
            }
        }
    }
    row
}

/// Least squares of `values` on a constant and the columns of `rows`, which may depend on each other.
fn least_squares(rows: &[Vec<f64>], values: &[f64]) -> Fit {
    let n = rows.len().min(values.len());
    let width = rows.first().map_or(0, Vec::len);
    let middle = autogan_stats::mean(values);
    let means: Vec<f64> =
        (0..width).map(|j| rows.iter().map(|row| row[j]).sum::<f64>() / n as f64).collect();
    let centred = Mat::from_fn(n, width, |i, j| rows[i][j] - means[j]);
    let total = values.iter().map(|value| (value - middle).powi(2)).sum();
    // The pivots fall: behind the first that is rounding, columns depend on those before.
    let factored = centred.col_piv_qr();
    let (q, r) = (factored.compute_thin_Q(), factored.thin_R());
    let first = if r.nrows() > 0 && width > 0 { r[(0, 0)].abs() } else { 0.0 };
    let floor = first * n.max(width) as f64 * 8.0 * f64::EPSILON;
    let rank = (0..n.min(width)).take_while(|&at| r[(at, at)].abs() > floor).count();
    let explained: f64 = (0..rank)
        .map(|at| (0..n).map(|i| q[(i, at)] * (values[i] - middle)).sum::<f64>().powi(2))
        .sum();
    Fit { n, rank, total, rest: (total - explained).max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "expected {expected}, found {found}");
    }

    /// All architectures of one cell, whose values `of` makes from their released vectors.
    fn one_cell(of: impl Fn(&[u8]) -> f64) -> (Vec<Arch>, Vec<f64>) {
        let archs: Vec<Arch> = Arch::enumerate(0).collect();
        let values = archs.iter().map(|arch| of(&arch.to_released())).collect();
        (archs, values)
    }

    fn fitted(model: Model, (archs, values): &(Vec<Arch>, Vec<f64>)) -> Fit {
        fit(model, &archs.iter().collect::<Vec<_>>(), values).unwrap()
    }

    #[test]
    fn a_line_by_hand() {
        // y = 1, 3, 2 on x = 0, 1, 2: the slope is 1/2, the sum of squares 2, of which 1/2 · 1 = 0.5 is explained.
        let rows = [vec![0.0], vec![1.0], vec![2.0]];
        let found = least_squares(&rows, &[1.0, 3.0, 2.0]);
        close(found.total, 2.0);
        close(found.rest, 1.5);
        assert_eq!((found.n, found.rank), (3, 1));
        // A column twice, and one that is constant, change nothing.
        let rows = [vec![0.0, 0.0, 7.0], vec![1.0, 2.0, 7.0], vec![2.0, 4.0, 7.0]];
        let again = least_squares(&rows, &[1.0, 3.0, 2.0]);
        close(again.rest, 1.5);
        assert_eq!(again.rank, 1);
    }

    #[test]
    fn shares_by_hand() {
        // TSS / (n − 1) = 4 and RSS / (n − 1 − r) = 1.5; with noise 1, 1 − 0.5 / 3.
        let fit = Fit { n: 21, rank: 10, total: 80.0, rest: 15.0 };
        close(fit.share(0.0).unwrap(), 1.0 - 1.5 / 4.0);
        close(fit.share(1.0).unwrap(), 1.0 - 0.5 / 3.0);
        assert_eq!(fit.share(4.0), None, "all of it is noise");
        assert_eq!(Fit { n: 20, ..fit }.share(0.0), None, "nine degrees of freedom");
        assert_eq!(Fit { n: 5, ..fit }.share(0.0), None);
    }

    #[test]
    fn effects_of_single_tokens_are_told_apart() {
        // Upsampling adds 0, 2, 4 (variance 8/3), the shortcut 0 or 2 (variance 1): 8/11 and 3/11 of 36 values.
        let data = one_cell(|v| 2.0 * f64::from(v[2]) + 2.0 * f64::from(v[3]));
        let all = fitted(Model::Tokens, &data);
        close(all.total, 36.0 * 11.0 / 3.0);
        close(all.rest, 0.0);
        assert_eq!((all.n, all.rank), (36, 1 + 2 + 2 + 1));
        close(fitted(Model::Token(2), &data).rest, 36.0);
        close(fitted(Model::Token(3), &data).rest, 36.0 * 8.0 / 3.0);
        close(fitted(Model::Token(0), &data).rest, all.total);
        close(all.share(0.0).unwrap(), 1.0);
        // Alone, upsampling leaves 36 over 33 degrees of 132 over 35.
        close(
            fitted(Model::Token(2), &data).share(0.0).unwrap(),
            1.0 - (36.0 / 33.0) / (132.0 / 35.0),
        );
    }

    #[test]
    fn pairs_explain_what_tokens_alone_cannot() {
        // The product of two balanced signs has no main effect.
        let sign = |number: u8| 1.0 - 2.0 * f64::from(number);
        let data = one_cell(|v| sign(v[0]) * sign(v[3]));
        close(fitted(Model::Tokens, &data).rest, 36.0);
        let pairs = fitted(Model::Pairs, &data);
        close(pairs.rest, 0.0);
        assert_eq!(pairs.rank, 6 + 13);
        // Of two cells: ranks 13 and 13 + 74.
        let archs: Vec<Arch> = Arch::enumerate(1).collect();
        let values: Vec<f64> = (0..archs.len()).map(|at| ((at * 7919) % 101) as f64).collect();
        let data = (archs, values);
        assert_eq!(fitted(Model::Tokens, &data).rank, 13);
        assert_eq!(fitted(Model::Pairs, &data).rank, 13 + 74);
    }

    #[test]
    fn parts_of_the_space_have_fewer_columns() {
        let (archs, values) = one_cell(|v| f64::from(v[0]));
        let some: Vec<&Arch> = archs.iter().filter(|arch| arch.to_released()[2] == 1).collect();
        let found = fit(Model::Tokens, &some, &values[..some.len()]).unwrap();
        assert_eq!((found.n, found.rank), (12, 4), "upsampling does not vary");
        assert_eq!(fit(Model::Tokens, &[], &[]), None);
    }
}
