//! This module computes signed distances, in pixels, from the ten figures: negative inside, positive outside.
//!
//! Only additions, products, quotients and square roots are used, which IEEE 754 rounds the same everywhere, so the
//! drawn bits do not depend on a platform's mathematical library.

use rand::Rng;

use crate::draw::between;

/// A point or direction in the plane, in pixels.
pub(super) type Point = [f32; 2];

/// One figure in its own frame: centred on the origin, not rotated.
#[derive(Debug, Clone, Copy)]
pub(super) enum Figure {
    Disk { radius: f32 },
    Ring { radius: f32, half_width: f32 },
    Square { half_side: f32 },
    Triangle { inner: f32 },
    Plus { half_length: f32, half_width: f32 },
    Star { outer: f32, inner: f32 },
    Stripes { period: f32 },
    Checker { cell: f32 },
    Dots { spacing: f32, radius: f32 },
    Circles { period: f32 },
}

impl Figure {
    /// The figure of class `class`. `reach` in pixels is the radius of an object; textures have
    /// a period of their own and fill the picture.
    pub(super) fn random(class: usize, reach: f32, rng: &mut impl Rng) -> Self {
        match class {
            0 => Self::Disk { radius: reach },
            1 => {
                let half_width = reach * between(rng, 0.15, 0.21);
                Self::Ring { radius: reach - half_width, half_width }
            }
            2 => Self::Square { half_side: reach * 0.84 },
            3 => Self::Triangle { inner: reach * 0.56 },
            4 => Self::Plus { half_length: reach, half_width: reach * between(rng, 0.26, 0.34) },
            5 => Self::Star { outer: reach * 1.1, inner: reach * between(rng, 0.42, 0.5) },
            6 => Self::Stripes { period: between(rng, 8.0, 13.0) },
            7 => Self::Checker { cell: between(rng, 6.5, 10.0) },
            8 => {
                let spacing = between(rng, 9.5, 13.0);
                Self::Dots { spacing, radius: spacing * between(rng, 0.27, 0.34) }
            }
            _ => Self::Circles { period: between(rng, 8.0, 11.0) },
        }
    }

    /// Half the angle, in turns, over which figures of this kind are rotated. Shapes stay near
    /// upright, textures turn as far as they change.
    pub(super) fn tilt(&self) -> f32 {
        match self {
            Self::Disk { .. } | Self::Ring { .. } | Self::Circles { .. } => 0.0,
            Self::Square { .. } | Self::Plus { .. } => 0.05,
            Self::Triangle { .. } | Self::Star { .. } => 0.06,
            Self::Checker { .. } | Self::Dots { .. } => 0.07,
            Self::Stripes { .. } => 0.25,
        }
    }

    /// Whether the figure fills the picture and may be moved anywhere.
    pub(super) fn is_texture(&self) -> bool {
        matches!(
            self,
            Self::Stripes { .. } | Self::Checker { .. } | Self::Dots { .. } | Self::Circles { .. }
        )
    }

    /// Signed distance of `point` from the figure's edge.
    pub(super) fn distance(&self, point: Point) -> f32 {
        let [x, y] = point;
        match *self {
            Self::Disk { radius } => length(point) - radius,
            Self::Ring { radius, half_width } => (length(point) - radius).abs() - half_width,
            Self::Square { half_side } => rectangle(point, half_side, half_side),
            Self::Triangle { inner } => {
                // Three half planes, 120 degrees apart, the tip upwards (y grows downwards).
                // The height is 3 inner radii, so its middle lies half of one above the centroid.
                let y = y - 0.5 * inner;
                let slanted = 0.866_025_4 * x.abs() - 0.5 * y;
                slanted.max(y) - inner
            }
            Self::Plus { half_length, half_width } => rectangle(point, half_length, half_width)
                .min(rectangle(point, half_width, half_length)),
            Self::Star { outer, inner } => star(point, outer, inner),
            Self::Stripes { period } => band(x, period),
            Self::Checker { cell } => {
                let (a, b) = (band(x, 2.0 * cell), band(y, 2.0 * cell));
                // Exclusive or of two sets of stripes.
                a.min(b).max(-a.max(b))
            }
            Self::Dots { spacing, radius } => {
                let cell = [wrapped(x, spacing), wrapped(y, spacing)];
                length(cell) - radius
            }
            Self::Circles { period } => band(length(point), period),
        }
    }
}

/// A unit vector at `turns` of a full turn, `|turns|` at most 0.5, to about 1e-6.
pub(super) fn direction(turns: f32) -> Point {
    // Half the angle (at most a quarter turn) by Taylor series, then doubled.
    let half = f64::from(turns) * std::f64::consts::PI;
    let square = half * half;
    let sine = half
        * (1.0
            - square / 6.0
                * (1.0
                    - square / 20.0
                        * (1.0 - square / 42.0 * (1.0 - square / 72.0 * (1.0 - square / 110.0)))));
    let cosine = 1.0
        - square / 2.0
            * (1.0
                - square / 12.0
                    * (1.0 - square / 30.0 * (1.0 - square / 56.0 * (1.0 - square / 90.0))));
    let doubled = [cosine * cosine - sine * sine, 2.0 * sine * cosine];
    doubled.map(|part| part as f32)
}

fn length([x, y]: Point) -> f32 {
    (x * x + y * y).sqrt()
}

fn rectangle([x, y]: Point, half_width: f32, half_height: f32) -> f32 {
    let (dx, dy) = (x.abs() - half_width, y.abs() - half_height);
    length([dx.max(0.0), dy.max(0.0)]) + dx.max(dy).min(0.0)
}

/// Signed distance from bands of half a period, one of them centred on 0.
fn band(x: f32, period: f32) -> f32 {
    wrapped(x, period).abs() - 0.25 * period
}

/// `x` moved by whole periods into `[-period / 2, period / 2]`.
fn wrapped(x: f32, period: f32) -> f32 {
    x - period * (x / period + 0.5).floor()
}

/// Signed distance from a star: five tips at distance `outer`, the first upwards, with notches at distance `inner`.
fn star([x, y]: Point, outer: f32, inner: f32) -> f32 {
    /// Directions of the tips right of the axis, and of the one upwards.
    const TIPS: [Point; 3] = [[0.0, -1.0], [0.951_056_5, -0.309_017], [0.587_785_25, 0.809_017]];
    // cos and sin of 36 degrees: where the notch lies, seen along a tip.
    const NOTCH: Point = [0.809_017, 0.587_785_25];
    let x = x.abs();
    let mut along = f32::NEG_INFINITY;
    let mut across = 0.0;
    for [tx, ty] in TIPS {
        let projected = x * tx + y * ty;
        if projected > along {
            along = projected;
            across = (x * ty - y * tx).abs();
        }
    }
    let (ex, ey) = (inner * NOTCH[0] - outer, inner * NOTCH[1]);
    let edge = length([ex, ey]);
    // Outward normal of the edge from the tip to the notch.
    ((along - outer) * ey - across * ex) / edge
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directions_are_those_of_the_library() {
        for step in -100i32..=100 {
            let turns = step as f32 / 200.0;
            let angle = f64::from(turns) * std::f64::consts::TAU;
            let [x, y] = direction(turns);
            assert!((f64::from(x) - angle.cos()).abs() < 2e-6, "{turns}");
            assert!((f64::from(y) - angle.sin()).abs() < 2e-6, "{turns}");
        }
    }

    #[test]
    fn the_edges_are_where_they_should_be() {
        let at = |figure: Figure, point: Point, want: f32| {
            let got = figure.distance(point);
            assert!((got - want).abs() < 1e-4, "{figure:?} {point:?}: {got}");
        };
        at(Figure::Disk { radius: 5.0 }, [3.0, 4.0], 0.0);
        let ring = Figure::Ring { radius: 5.0, half_width: 1.0 };
        at(ring, [0.0, 0.0], 4.0);
        at(ring, [0.0, -5.0], -1.0);
        at(Figure::Square { half_side: 2.0 }, [5.0, 6.0], 5.0);
        at(Figure::Triangle { inner: 2.0 }, [0.0, 3.0], 0.0);
        at(Figure::Triangle { inner: 2.0 }, [0.0, -3.0], 0.0);
        let plus = Figure::Plus { half_length: 6.0, half_width: 2.0 };
        at(plus, [6.0, 0.0], 0.0);
        at(plus, [0.0, -7.0], 1.0);
        assert!(plus.distance([4.0, 4.0]) > 1.0);
        let star = Figure::Star { outer: 10.0, inner: 4.0 };
        at(star, [0.0, -10.0], 0.0);
        at(star, [10.0 * 0.587_785_25, 10.0 * 0.809_017], 0.0);
        at(star, [0.0, 4.0], 0.0);
        at(star, [-4.0 * 0.587_785_25, -4.0 * 0.809_017], 0.0);
        let dots = Figure::Dots { spacing: 10.0, radius: 3.0 };
        at(dots, [20.0, -7.0], 0.0);
        at(Figure::Stripes { period: 8.0 }, [18.0, 99.0], 0.0);
        at(Figure::Circles { period: 8.0 }, [8.0, 0.0], -2.0);
        let checker = Figure::Checker { cell: 4.0 };
        assert!(checker.distance([0.0, 0.0]) * checker.distance([4.0, 0.0]) < 0.0);
        assert!(checker.distance([0.0, 0.0]) * checker.distance([4.0, 4.0]) > 0.0);
    }
}
