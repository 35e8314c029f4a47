//! [`Axis`] runs Winograd's algorithm along one side of an image: F(m, r), r taps and m outputs of m + r − 1 products.
//!
//! The construction is that of Toom and Cook on the points 0, ±p₁, ±p₂, … and infinity (Lavin and Gray, CVPR 2016; for
//! points and their rounding errors Barabasz et al., *Error Analysis and Improving the Accuracy of Winograd Convolution
//! for Deep Neural Networks*, 2018). Points come in pairs, so that a transform is made of even and odd halves.

use pulp::Simd;

/// Pairs of points at most.
const PAIRS: usize = 3;

/// Outputs of a tile at most.
const OUTPUTS: usize = 4;

/// One algorithm; its components in the order 0, p₁, −p₁, p₂, −p₂, …, infinity.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub taps: usize,
    pub outputs: usize,
    points: [f32; PAIRS],
    /// Coefficients of Π (x² − q²) over the other pairs, for each pair.
    others: [[f32; PAIRS]; PAIRS],
    /// Coefficients of Π (x² − q²) over all pairs.
    all: [f32; PAIRS + 1],
    /// Powers of the points, one row for each output.
    powers: [[f32; PAIRS]; OUTPUTS],
}

/// Π (x² − q²) as coefficients of x⁰, x², ….
fn product(points: impl Iterator<Item = f64>) -> [f64; PAIRS + 1] {
    let mut out = [0.0; PAIRS + 1];
    out[0] = 1.0;
    for q in points {
        for k in (0..=PAIRS).rev() {
            out[k] = (if k > 0 { out[k - 1] } else { 0.0 }) - q * q * out[k];
        }
    }
    out
}

impl Axis {
    /// The algorithm for that many taps; none where there is no faster one.
    pub fn new(taps: usize) -> Option<Self> {
        match taps {
            1 => Some(Self::on(&[], 1, 1)),
            3 => Some(Self::on(&[0.625, 1.25], 3, 4)),
            5 => Some(Self::on(&[0.625, 1.25], 5, 2)),
            // Four outputs of seven taps would need fewer products, but lose a digit more.
            7 => Some(Self::on(&[0.5, 1.0, 2.0], 7, 2)),
            _ => None,
        }
    }

    /// The algorithm on the given pairs of points; a single tap needs none.
    fn on(pairs: &[f64], taps: usize, outputs: usize) -> Self {
        let mut axis = Self {
            taps,
            outputs,
            points: [0.0; PAIRS],
            others: [[0.0; PAIRS]; PAIRS],
            all: product(pairs.iter().copied()).map(|v| v as f32),
            powers: [[0.0; PAIRS]; OUTPUTS],
        };
        for (i, &p) in pairs.iter().enumerate() {
            axis.points[i] = p as f32;
            let others = pairs.iter().copied().filter(|&q| q != p);
            for (to, v) in axis.others[i].iter_mut().zip(product(others)) {
                *to = v as f32;
            }
            for (k, powers) in axis.powers.iter_mut().enumerate() {
                powers[i] = p.powi(k as i32) as f32;
            }
        }
        axis
    }

    /// Components of a tile, and pixels that it reads.
    pub fn components(&self) -> usize {
        self.taps + self.outputs - 1
    }

    /// The weight transform, a row of `taps` factors for each component.
    pub fn weights(&self) -> Vec<Vec<f64>> {
        let n = self.components();
        if n == 1 {
            return vec![vec![1.0]];
        }
        let mut points = vec![0.0];
        for &p in &self.points[..(n - 2) / 2] {
            points.extend([f64::from(p), -f64::from(p)]);
        }
        let row = |&p: &f64| {
            let norm: f64 = points.iter().filter(|&&q| q != p).map(|q| p - q).product();
            (0..self.taps).map(|k| p.powi(k as i32) / norm).collect()
        };
        let mut rows: Vec<Vec<f64>> = points.iter().map(row).collect();
        rows.push((0..self.taps).map(|k| if k + 1 == self.taps { 1.0 } else { 0.0 }).collect());
        rows
    }

    /// Turns pixels into components.
    #[inline(always)]
    pub fn source<S: Simd, const N: usize>(&self, simd: S, x: [S::f32s; N]) -> [S::f32s; N] {
        if N == 1 {
            return x;
        }
        let pairs = (N - 2) / 2;
        let mut out = x;
        // The highest coefficient of every polynomial is 1.
        let (mut zero, mut infinity) = (x[2 * pairs], x[2 * pairs + 1]);
        for k in 0..pairs {
            zero = fma(simd, self.all[k], x[2 * k], zero);
            infinity = fma(simd, self.all[k], x[2 * k + 1], infinity);
        }
        (out[0], out[N - 1]) = (zero, infinity);
        for i in 0..pairs {
            let (mut even, mut odd) = (x[2 * pairs], x[2 * pairs - 1]);
            for k in 0..pairs - 1 {
                even = fma(simd, self.others[i][k], x[2 * k + 2], even);
                odd = fma(simd, self.others[i][k], x[2 * k + 1], odd);
            }
            out[2 * i + 1] = fma(simd, self.points[i], odd, even);
            out[2 * i + 2] = fma(simd, -self.points[i], odd, even);
        }
        out
    }

    /// Turns products into outputs.
    #[inline(always)]
    pub fn output<S: Simd, const N: usize, const M: usize>(
        &self,
        simd: S,
        parts: [S::f32s; N],
    ) -> [S::f32s; M] {
        if N == 1 {
            return [parts[0]; M];
        }
        let pairs = (N - 2) / 2;
        let mut halves = [(parts[0], parts[0]); PAIRS];
        for (i, halves) in halves.iter_mut().enumerate().take(pairs) {
            let (a, b) = (parts[2 * i + 1], parts[2 * i + 2]);
            *halves = (simd.add_f32s(a, b), simd.sub_f32s(a, b));
        }
        let mut out = [parts[0]; M];
        for (k, out) in out.iter_mut().enumerate() {
            let mut sum = match k {
                0 => parts[0],
                k if k + 1 == M => parts[N - 1],
                _ => simd.splat_f32s(0.0),
            };
            for (power, halves) in self.powers[k].iter().zip(&halves).take(pairs) {
                let half = if k % 2 == 0 { halves.0 } else { halves.1 };
                sum = fma(simd, *power, half, sum);
            }
            *out = sum;
        }
        out
    }
}

/// `c · v + to`. Not a closure: those lose the vector unit unless each is marked.
#[inline(always)]
fn fma<S: Simd>(simd: S, c: f32, v: S::f32s, to: S::f32s) -> S::f32s {
    simd.mul_add_f32s(simd.splat_f32s(c), v, to)
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::*;

    fn check<const N: usize, const M: usize>(taps: usize) {
        let axis = Axis::new(taps).unwrap();
        assert_eq!((axis.components(), axis.outputs), (N, M));
        let x: [f32; N] = std::array::from_fn(|i| (1.3 * i as f32).sin());
        let w: Vec<f64> = (0..taps).map(|i| (0.7 * i as f64 + 0.2).cos()).collect();
        let mut parts = axis.source(Scalar::new(), x);
        for (part, row) in parts.iter_mut().zip(axis.weights()) {
            *part *= row.iter().zip(&w).map(|(a, b)| a * b).sum::<f64>() as f32;
        }
        let y: [f32; M] = axis.output(Scalar::new(), parts);
        for (i, y) in y.into_iter().enumerate() {
            let expected: f64 = (0..taps).map(|k| w[k] * f64::from(x[i + k])).sum();
            assert!((f64::from(y) - expected).abs() < 2e-5, "{taps} taps: {y}, {expected}");
        }
    }

    #[test]
    fn each_algorithm_is_a_convolution() {
        check::<1, 1>(1);
        check::<6, 4>(3);
        check::<6, 2>(5);
        check::<8, 2>(7);
        assert!(Axis::new(2).is_none() && Axis::new(9).is_none());
    }
}
