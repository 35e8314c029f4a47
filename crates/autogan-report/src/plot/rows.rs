//! [`Rows`] draws rows of values: single values as dots, and a mean or difference with its interval.

use super::{COLOURS, file};
use crate::chart::{Chart, Layout, range};
use crate::svg::Anchor;

const WIDTH: f64 = 720.0;
const TOP: f64 = 38.0;
const BOTTOM: f64 = 44.0;
const HEIGHT: f64 = 34.0;
const NAMES: f64 = 250.0;

/// A row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Stands before it.
    pub name: String,
    /// Which colour, counted from 0; the colours repeat after six.
    pub colour: usize,
    /// The single values, such as one for each seed.
    pub values: Vec<f64>,
    /// Estimate, lower and upper end, where there is one.
    pub interval: Option<[f64; 3]>,
}

/// Rows over one axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Stands above them, and is read out.
    pub title: String,
    /// Name of the axis, with its unit.
    pub axis: String,
    /// Whether zero is marked, as for differences.
    pub zero: bool,
    /// The rows, the first on top.
    pub rows: Vec<Row>,
}

impl Rows {
    /// The rows as an SVG file.
    pub fn svg(&self) -> String {
        let values = self
            .rows
            .iter()
            .flat_map(|row| row.values.iter().copied().chain(row.interval.into_iter().flatten()));
        let x = range(values.chain(self.zero.then_some(0.0)), 0.05);
        let size = (WIDTH, TOP + HEIGHT * self.rows.len() as f64 + BOTTOM);
        let layout = Layout { size, margin: [TOP, 20.0, BOTTOM, NAMES] };
        let mut chart = Chart::new(layout, x, (0.0, 1.0));
        chart.x_axis(&self.axis, 6, 0.0);
        if self.zero {
            chart.zero();
        }
        for (place, row) in self.rows.iter().enumerate() {
            let middle = TOP + HEIGHT * (place as f64 + 0.5);
            let edge = middle + HEIGHT / 2.0;
            chart.svg.line("grid", (0.0, edge), (WIDTH, edge));
            chart.svg.text("row", (NAMES - 12.0, middle + 4.0), Anchor::End, &row.name);
            draw(&mut chart, row, middle);
        }
        file(chart.svg, size, &self.title)
    }
}

/// The interval with its estimate, and the single values below it.
fn draw(chart: &mut Chart, row: &Row, middle: f64) {
    let colour = row.colour % COLOURS;
    let finite = |value: &&f64| value.is_finite();
    for value in row.values.iter().filter(finite) {
        let place = (chart.x.at(*value), middle + 7.0);
        chart.svg.circle(&format!("dot soft p{colour}"), place, 3.6, &format!("{value:.4}"));
    }
    let Some([estimate, low, high]) =
        row.interval.filter(|ends| ends.iter().all(|e| e.is_finite()))
    else {
        return;
    };
    let y = middle - 5.0;
    chart.svg.line(&format!("ci p{colour}"), (chart.x.at(low), y), (chart.x.at(high), y));
    let tip = format!("{}: {estimate:.4} [{low:.4}, {high:.4}]", row.name);
    chart.svg.circle(&format!("dot p{colour}"), (chart.x.at(estimate), y), 4.4, &tip);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_intervals_lie_on_the_axis() {
        let row = |name: &str, interval| Row {
            name: name.into(),
            colour: 1,
            values: vec![1.0, 2.0, f64::NAN],
            interval,
        };
        let rows = Rows {
            title: "scores".into(),
            axis: "score".into(),
            zero: true,
            rows: vec![row("with", Some([1.5, 1.0, 2.0])), row("without", None)],
        };
        let text = rows.svg();
        let xml = roxmltree::Document::parse(&text).unwrap();
        let of = |class: &str| {
            let found = xml.descendants().filter(|n| n.attribute("class") == Some(class));
            found.count()
        };
        assert_eq!((of("dot soft p1"), of("dot p1"), of("ci p1"), of("zero")), (4, 1, 1, 1));
        let dot = xml.descendants().find(|n| n.attribute("class") == Some("dot p1")).unwrap();
        let ci = xml.descendants().find(|n| n.attribute("class") == Some("ci p1")).unwrap();
        let number = |n: roxmltree::Node<'_, '_>, name| -> f64 {
            n.attribute(name).unwrap().parse().unwrap()
        };
        let middle = (number(ci, "x1") + number(ci, "x2")) / 2.0;
        assert!((number(dot, "cx") - middle).abs() < 0.11, "the estimate lies between its ends");
    }
}
