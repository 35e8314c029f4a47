//! This module draws plots as files of their own, for pages that compare runs: points and lines over two axes, and rows
//! of values with their intervals, and curves with the bands of theirs. They are light or dark as their viewer prefers.

mod curves;
mod rows;

use crate::chart::{Chart, Layout, range};
use crate::svg::{Anchor, Svg};

pub use curves::{Curve, Curves};
pub use rows::{Row, Rows};

const CSS: &str = include_str!("plot.css");
/// Colours that the style sheet has.
const COLOURS: usize = 6;
const SIZE: (f64, f64) = (720.0, 400.0);
/// Room above the chart for the title; a line of the legend takes as much as `LEGEND`.
const HEAD: f64 = 32.0;
const LEGEND: f64 = 18.0;

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A dot at each point.
    Dots,
    /// A line through the points, in their order.
    Line,
}

/// Points that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend calls it; series of one name are one entry.
    pub name: String,
    /// Which colour, counted from 0; the colours repeat after six.
    pub colour: usize,
    /// How it is drawn.
    pub shape: Shape,
    /// The points; those that are not finite are left out.
    pub points: Vec<(f64, f64)>,
}

/// A plot over two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// Stands above it, and is read out.
    pub title: String,
    /// Names of the axes, with units.
    pub axes: (String, String),
    /// What is drawn, the later over the earlier.
    pub series: Vec<Series>,
}

impl Plot {
    /// The plot as an SVG file.
    pub fn svg(&self) -> String {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let x = range(points().map(|point| point.0), 0.03);
        let y = range(points().map(|point| point.1), 0.05);
        let entries = entries(self.series.iter().map(|s| (s.name.as_str(), s.colour, s.shape)));
        let legend = Legend::new(&entries, SIZE.0);
        let top = HEAD + legend.height();
        let size = (SIZE.0, SIZE.1 + legend.height());
        let layout = Layout { size, margin: [top, 16.0, 44.0, 60.0] };
        let mut chart = Chart::new(layout, x, y);
        chart.y_axis(&self.axes.1, 7);
        chart.x_axis(&self.axes.0, 9, 0.0);
        for series in &self.series {
            draw(&mut chart, series);
        }
        legend.draw(&mut chart.svg);
        file(chart.svg, size, &self.title)
    }
}

fn draw(chart: &mut Chart, series: &Series) {
    let colour = series.colour % COLOURS;
    match series.shape {
        Shape::Line => chart.curve(&format!("line p{colour}"), &series.points, &series.name),
        Shape::Dots => {
            let finite = series.points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
            for &(x, y) in finite {
                let place = (chart.x.at(x), chart.y.at(y));
                let tip = format!("{}: {x:.4}, {y:.4}", series.name);
                chart.svg.circle(&format!("dot p{colour}"), place, 4.0, &tip);
            }
        }
    }
}

/// An entry of a legend: its name, colour and shape.
type Entry<'a> = (&'a str, usize, Shape);

/// Each name once, in the order of their first appearance.
fn entries<'a>(all: impl Iterator<Item = Entry<'a>>) -> Vec<Entry<'a>> {
    let mut found: Vec<Entry<'a>> = Vec::new();
    for entry in all.filter(|entry| !entry.0.is_empty()) {
        if !found.iter().any(|known| known.0 == entry.0) {
            found.push(entry);
        }
    }
    found
}

/// A legend under the title, broken into lines.
struct Legend<'a> {
    lines: Vec<Vec<(f64, Entry<'a>)>>,
}

impl<'a> Legend<'a> {
    fn new(entries: &[Entry<'a>], width: f64) -> Self {
        const LEFT: f64 = 14.0;
        let mut lines: Vec<Vec<(f64, Entry<'a>)>> = Vec::new();
        let mut x = f64::INFINITY;
        for &entry in entries {
            // The width of a character of this size, on average.
            let room = 6.6 * entry.0.chars().count() as f64 + 40.0;
            if x + room > width {
                lines.push(Vec::new());
                x = LEFT;
            }
            if let Some(line) = lines.last_mut() {
                line.push((x, entry));
            }
            x += room;
        }
        Legend { lines }
    }

    fn height(&self) -> f64 {
        LEGEND * self.lines.len() as f64 + if self.lines.is_empty() { 0.0 } else { 6.0 }
    }

    fn draw(&self, svg: &mut Svg) {
        for (row, line) in self.lines.iter().enumerate() {
            let y = HEAD + LEGEND * row as f64 + 8.0;
            for (x, (name, colour, shape)) in line {
                let colour = colour % COLOURS;
                match shape {
                    Shape::Dots => {
                        svg.circle(&format!("dot p{colour}"), (x + 9.0, y - 4.0), 4.0, "");
                    }
                    Shape::Line => {
                        svg.line(&format!("line p{colour}"), (*x, y - 4.0), (x + 18.0, y - 4.0));
                    }
                }
                svg.text("legend", (x + 24.0, y), Anchor::Start, name);
            }
        }
    }
}

/// A drawing with its title as a file.
fn file(mut body: Svg, size: (f64, f64), title: &str) -> String {
    body.text("title", (14.0, 21.0), Anchor::Start, title);
    body.file("plot", size, title, (CSS, "paper"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot() -> Plot {
        let series = |name: &str, colour, shape| Series {
            name: name.into(),
            colour,
            shape,
            points: vec![(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)],
        };
        Plot {
            title: "A < B".into(),
            axes: ("seconds".into(), "score".into()),
            series: vec![
                series("first", 0, Shape::Line),
                series("second", 7, Shape::Dots),
                series("first", 0, Shape::Line),
            ],
        }
    }

    #[test]
    fn it_is_xml_and_holds_everything_finite_once() {
        let text = plot().svg();
        let xml = roxmltree::Document::parse(&text).unwrap();
        let texts: Vec<&str> =
            xml.descendants().filter(|n| n.has_tag_name("text")).filter_map(|n| n.text()).collect();
        for name in ["A < B", "seconds", "score", "second"] {
            assert!(texts.contains(&name), "{name} in {texts:?}");
        }
        assert_eq!(texts.iter().filter(|text| **text == "first").count(), 1, "one legend entry");
        let dots = xml.descendants().filter(|n| n.attribute("class") == Some("dot p1")).count();
        assert_eq!(dots, 3, "two points and the legend; the colours repeat");
        assert!(!text.contains("NaN"));
    }

    #[test]
    fn a_plot_of_nothing_is_still_one() {
        let empty = Plot { series: Vec::new(), ..plot() };
        assert!(roxmltree::Document::parse(&empty.svg()).is_ok());
    }

    #[test]
    fn legends_break_lines() {
        let long = "x".repeat(60);
        let entries =
            [("a", 0, Shape::Dots), (long.as_str(), 1, Shape::Dots), ("b", 2, Shape::Dots)];
        let legend = Legend::new(&entries, 450.0);
        assert_eq!(legend.lines.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
    }
}
