//! A [`Chart`] has a frame with axes, and draws lines and points inside it.

mod ticks;

use std::fmt::Write;

pub(crate) use ticks::{label, log_ticks, ticks};

use crate::svg::{Anchor, Px, Svg};

/// A range of numbers on a range of pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    /// Whether equal ratios, not equal differences, are equally long; the range is above 0 then.
    log: bool,
}

impl Scale {
    /// Where a number lies.
    pub fn at(&self, value: f64) -> f64 {
        let share = match self.log {
            false => (value - self.low) / (self.high - self.low),
            true => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.from + share * (self.to - self.from)
    }

    /// The scale with equal ratios equally long; unchanged where the range is not above 0.
    pub fn logarithmic(self) -> Scale {
        Scale { log: self.low > 0.0, ..self }
    }

    fn ticks(&self, wanted: usize, least: f64) -> Vec<(f64, String)> {
        match self.log {
            false => ticks(self.low, self.high, wanted, least),
            true => log_ticks(self.low, self.high, wanted),
        }
    }
}

/// How a chart is laid out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// Width and height in pixels.
    pub size: (f64, f64),
    /// Room at the top, right, bottom and left.
    pub margin: [f64; 4],
}

/// A chart under construction.
pub(crate) struct Chart {
    pub svg: Svg,
    pub x: Scale,
    pub y: Scale,
    layout: Layout,
}

impl Chart {
    /// A chart of these ranges; an empty range becomes one around its value.
    pub fn new(layout: Layout, x: (f64, f64), y: (f64, f64)) -> Chart {
        let (width, height) = layout.size;
        let [top, right, bottom, left] = layout.margin;
        let scale = |(low, high): (f64, f64), from, to| {
            let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
            Scale { low, high, from, to, log: false }
        };
        Chart {
            svg: Svg::default(),
            x: scale(x, left, width - right),
            y: scale(y, height - bottom, top),
            layout,
        }
    }

    /// Top and bottom of the inside.
    pub fn vertical(&self) -> (f64, f64) {
        (self.y.to, self.y.from)
    }

    /// Left and right of the inside.
    pub fn horizontal(&self) -> (f64, f64) {
        (self.x.from, self.x.to)
    }

    /// Grid lines and labels on the left.
    pub fn y_axis(&mut self, title: &str, wanted: usize) {
        let (left, right) = self.horizontal();
        for (value, label) in self.y.ticks(wanted, 0.0) {
            let y = self.y.at(value);
            self.svg.line("grid", (left, y), (right, y));
            self.svg.text("tick", (left - 6.0, y + 3.6), Anchor::End, &label);
        }
        if !title.is_empty() {
            let (top, bottom) = self.vertical();
            self.svg.upright("axis", (11.0, (top + bottom) / 2.0), title);
        }
    }

    /// The base line with ticks and labels at the bottom; steps are not below `least`.
    pub fn x_axis(&mut self, title: &str, wanted: usize, least: f64) {
        let (left, right) = self.horizontal();
        let bottom = self.y.from;
        self.svg.line("base", (left, bottom), (right, bottom));
        for (value, label) in self.x.ticks(wanted, least) {
            let x = self.x.at(value);
            self.svg.line("base", (x, bottom), (x, bottom + 4.0));
            self.svg.text("tick", (x, bottom + 16.0), Anchor::Middle, &label);
        }
        if !title.is_empty() {
            let place = ((left + right) / 2.0, self.layout.size.1 - 3.0);
            self.svg.text("axis", place, Anchor::Middle, title);
        }
    }

    /// A vertical line at zero.
    pub fn zero(&mut self) {
        let (at, (top, bottom)) = (self.x.at(0.0), self.vertical());
        self.svg.line("zero", (at, top), (at, bottom));
    }

    /// A line through points.
    pub fn curve(&mut self, class: &str, points: &[(f64, f64)], tip: &str) {
        let mut d = String::new();
        let finite = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
        for (i, &(x, y)) in finite.enumerate() {
            let letter = if i == 0 { 'M' } else { 'L' };
            // Writing to a string does not fail.
            let _ = write!(d, "{letter}{} {}", Px(self.x.at(x)), Px(self.y.at(y)));
        }
        if !d.is_empty() {
            self.svg.path(class, &d, tip);
        }
    }

    /// The area between two lines over the same places.
    pub fn band(&mut self, class: &str, points: &[(f64, [f64; 2])]) {
        let finite =
            |(x, [low, high]): &&(f64, [f64; 2])| [*x, *low, *high].iter().all(|v| v.is_finite());
        let there = points.iter().filter(finite).map(|&(x, [low, _])| (x, low));
        let back = points.iter().rev().filter(finite).map(|&(x, [_, high])| (x, high));
        let mut d = String::new();
        for (i, (x, y)) in there.chain(back).enumerate() {
            let letter = if i == 0 { 'M' } else { 'L' };
            // Writing to a string does not fail.
            let _ = write!(d, "{letter}{} {}", Px(self.x.at(x)), Px(self.y.at(y)));
        }
        if !d.is_empty() {
            self.svg.path(class, &format!("{d}Z"), "");
        }
    }

    /// Points without tooltips, as one element.
    pub fn dots(&mut self, class: &str, points: &[(f64, f64)]) {
        let mut d = String::new();
        for &(x, y) in points.iter().filter(|(x, y)| x.is_finite() && y.is_finite()) {
            let _ = write!(d, "M{} {}h0", Px(self.x.at(x)), Px(self.y.at(y)));
        }
        if !d.is_empty() {
            self.svg.path(class, &d, "");
        }
    }

    /// The drawing; `label` is read out.
    pub fn finish(self, class: &str, label: &str) -> String {
        self.svg.finish(&format!("chart {class}"), self.layout.size, label)
    }
}

/// The range of the finite numbers, with a share of it added on both sides; 0 to 1 without any.
pub(crate) fn range(values: impl IntoIterator<Item = f64>, room: f64) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    if low > high {
        return (0.0, 1.0);
    }
    let extra = if high > low { (high - low) * room } else { 0.5 };
    (low - extra, high + extra)
}

/// At most `most` points: means of equally many consecutive ones; and how many those are.
pub(crate) fn thinned(x: &[f64], y: &[f64], most: usize) -> (Vec<(f64, f64)>, usize) {
    let points: Vec<(f64, f64)> =
        x.iter().copied().zip(y.iter().copied()).filter(|(_, y)| y.is_finite()).collect();
    let size = points.len().div_ceil(most.max(1)).max(1);
    let mean = |part: &[(f64, f64)]| {
        let n = part.len() as f64;
        let (x, y) = part.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0, sum.1 + p.1));
        (x / n, y / n)
    };
    (points.chunks(size).map(mean).collect(), size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_map_ends_to_ends() {
        let layout = Layout { size: (100.0, 50.0), margin: [5.0, 10.0, 15.0, 20.0] };
        let chart = Chart::new(layout, (0.0, 10.0), (-1.0, 1.0));
        assert_eq!((chart.x.at(0.0), chart.x.at(10.0)), (20.0, 90.0));
        assert_eq!((chart.y.at(-1.0), chart.y.at(1.0)), (35.0, 5.0));
        let flat = Chart::new(layout, (3.0, 3.0), (2.0, 2.0));
        assert_eq!(flat.x.at(3.0), 55.0, "a single value lies in the middle");
        let decades = Chart::new(layout, (0.1, 10.0), (-1.0, 1.0));
        assert_eq!(decades.x.logarithmic().at(1.0), 55.0);
        assert_eq!(decades.y.logarithmic(), decades.y, "no logarithm of what is not above 0");
    }

    #[test]
    fn ranges_ignore_what_is_not_finite() {
        assert_eq!(range([1.0, f64::NAN, 3.0, f64::INFINITY], 0.5), (0.0, 4.0));
        assert_eq!(range([], 0.1), (0.0, 1.0));
        assert_eq!(range([2.0], 0.1), (1.5, 2.5));
    }

    #[test]
    fn thinning_takes_means() {
        let (points, size) = thinned(&[0.0, 1.0, 2.0, 3.0], &[1.0, 3.0, f64::NAN, 5.0], 2);
        assert_eq!((points, size), (vec![(0.5, 2.0), (3.0, 5.0)], 2));
    }
}
