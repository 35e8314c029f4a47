//! [`Curves`] draws the means of several methods over one axis, each with the band of its interval and its name at its
//! end.

use super::{COLOURS, file};
use crate::chart::{Chart, Layout, range};
use crate::svg::Anchor;

const SIZE: (f64, f64) = (820.0, 440.0);
/// Room at the top, right, bottom and left; the names stand on the right.
const MARGIN: [f64; 4] = [40.0, 170.0, 44.0, 60.0];
/// The least distance between two names.
const LINE: f64 = 14.0;

/// A curve with its band.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Stands at its end.
    pub name: String,
    /// Which colour, counted from 0; the colours repeat after six, with broken lines from then on.
    pub colour: usize,
    /// The places in ascending order, each with estimate, lower and upper end; what is not finite is left out.
    pub points: Vec<(f64, [f64; 3])>,
}

/// Curves over two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// Stands above them, and is read out.
    pub title: String,
    /// Names of the axes, with units.
    pub axes: (String, String),
    /// Whether the axes are logarithmic. One that is needs estimates above 0; ends of intervals below the smallest
    /// estimate are cut there.
    pub log: (bool, bool),
    /// What is drawn, the later over the earlier.
    pub curves: Vec<Curve>,
}

impl Curves {
    /// The curves as an SVG file.
    pub fn svg(&self) -> String {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let all = points().flat_map(|(_, ends)| ends.iter().copied());
        let (x, y) = match self.log {
            (log_x, false) => (spread(points().map(|p| p.0), log_x, 0.0), range(all, 0.03)),
            (log_x, true) => {
                let least = points().map(|(_, ends)| ends[0]).fold(f64::INFINITY, f64::min);
                let floor = least / 1.3;
                let cut = all.map(|value| value.max(floor));
                (spread(points().map(|p| p.0), log_x, 0.0), spread(cut, true, 0.03))
            }
        };
        let mut chart = Chart::new(Layout { size: SIZE, margin: MARGIN }, x, y);
        if self.log.0 {
            chart.x = chart.x.logarithmic();
        }
        if self.log.1 {
            chart.y = chart.y.logarithmic();
        }
        chart.y_axis(&self.axes.1, 7);
        chart.x_axis(&self.axes.0, 8, 0.0);
        let floor = if self.log.1 { y.0 } else { f64::NEG_INFINITY };
        for curve in &self.curves {
            curve.draw(&mut chart, floor);
        }
        self.names(&mut chart);
        file(chart.svg, SIZE, &self.title)
    }

    /// The names at the ends of the curves, moved apart where they would lie over each other.
    fn names(&self, chart: &mut Chart) {
        let end = |curve: &Curve| {
            let last =
                curve.points.iter().rev().find(|(x, ends)| x.is_finite() && ends[0].is_finite())?;
            Some((chart.x.at(last.0), chart.y.at(last.1[0])))
        };
        let mut places: Vec<(&Curve, f64, f64)> =
            self.curves.iter().filter_map(|curve| end(curve).map(|(x, y)| (curve, x, y))).collect();
        places.sort_by(|a, b| a.2.total_cmp(&b.2));
        let (top, bottom) = chart.vertical();
        let mut heights: Vec<f64> = Vec::new();
        for (_, _, y) in &places {
            let least = heights.last().map_or(top, |above| above + LINE);
            heights.push(y.max(least));
        }
        // What runs out of the chart below is pushed up again.
        let mut most = bottom;
        for height in heights.iter_mut().rev() {
            *height = height.min(most);
            most = *height - LINE;
        }
        let (_, right) = chart.horizontal();
        for ((curve, x, y), height) in places.into_iter().zip(heights) {
            let class = curve.class();
            chart.svg.line(&format!("leader {class}"), (x, y), (right + 10.0, height));
            let place = (right + 14.0, height + 4.0);
            chart.svg.text(&format!("name {class}"), place, Anchor::Start, &curve.name);
        }
    }
}

impl Curve {
    fn class(&self) -> String {
        format!("p{}", self.colour % COLOURS)
    }

    fn draw(&self, chart: &mut Chart, floor: f64) {
        let class = self.class();
        let band: Vec<(f64, [f64; 2])> =
            self.points.iter().map(|&(x, [_, low, high])| (x, [low.max(floor), high])).collect();
        chart.band(&format!("band {class}"), &band);
        let line: Vec<(f64, f64)> = self.points.iter().map(|&(x, ends)| (x, ends[0])).collect();
        let broken = if self.colour < COLOURS { "" } else { " broken" };
        chart.curve(&format!("line {class}{broken}"), &line, &self.name);
    }
}

/// The range of numbers with a share of it added on both sides; of a logarithmic axis the share is one of the logarithm.
fn spread(values: impl Iterator<Item = f64>, log: bool, room: f64) -> (f64, f64) {
    if !log {
        return range(values, room);
    }
    let (low, high) = range(values.filter(|value| *value > 0.0).map(f64::ln), room);
    (low.exp(), high.exp())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curves(log: (bool, bool)) -> Curves {
        let curve = |name: &str, colour, scale: f64| Curve {
            name: name.into(),
            colour,
            points: vec![
                (1.0, [scale, scale / 2.0, scale * 2.0]),
                (10.0, [scale / 2.0, f64::NAN, f64::NAN]),
                (100.0, [scale / 4.0, -0.1, scale]),
            ],
        };
        Curves {
            title: "regret".into(),
            axes: ("seconds".into(), "regret".into()),
            log,
            curves: vec![curve("one", 0, 1.0), curve("two < three", 6, 1.01)],
        }
    }

    fn classes(text: &str, wanted: &str) -> usize {
        let xml = roxmltree::Document::parse(text).unwrap();
        let class = |node: &roxmltree::Node<'_, '_>| node.attribute("class").map(str::to_owned);
        xml.descendants().filter_map(|node| class(&node)).filter(|class| class == wanted).count()
    }

    #[test]
    fn each_curve_has_a_band_a_line_and_a_name() {
        for log in [(false, false), (true, true), (true, false), (false, true)] {
            let text = curves(log).svg();
            assert_eq!((classes(&text, "line p0"), classes(&text, "line p0 broken")), (1, 1));
            assert_eq!((classes(&text, "band p0"), classes(&text, "name p0")), (2, 2));
            assert!(!text.contains("NaN") && !text.contains("inf"), "{log:?}");
            assert!(text.contains("two &lt; three"));
        }
    }

    #[test]
    fn names_do_not_lie_over_each_other() {
        let mut many = curves((true, true));
        let one = many.curves[0].clone();
        many.curves = (0..12).map(|colour| Curve { colour, ..one.clone() }).collect();
        let text = many.svg();
        let xml = roxmltree::Document::parse(&text).unwrap();
        let mut heights: Vec<f64> = xml
            .descendants()
            .filter(|node| node.attribute("class").is_some_and(|class| class.starts_with("name")))
            .map(|node| node.attribute("y").unwrap().parse().unwrap())
            .collect();
        heights.sort_by(f64::total_cmp);
        assert_eq!(heights.len(), 12);
        assert!(heights.windows(2).all(|pair| pair[1] - pair[0] >= LINE - 0.11), "{heights:?}");
        assert!(heights.iter().all(|height| (0.0..SIZE.1).contains(height)));
    }

    #[test]
    fn curves_of_nothing_are_still_a_drawing() {
        let empty = Curves { curves: Vec::new(), ..curves((true, true)) };
        assert!(roxmltree::Document::parse(&empty.svg()).is_ok());
    }
}
