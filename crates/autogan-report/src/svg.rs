//! [`Svg`] writes the drawings of this crate: escaped text, short numbers, lines and arrows.

use std::fmt::{self, Display, Write};

/// Text for HTML and SVG, in content and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // Not allowed in XML at all.
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// A coordinate, to a tenth.
#[derive(Clone, Copy)]
pub(crate) struct Px(pub f64);

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.0 * 10.0).round() / 10.0;
        // Adding zero takes the sign off a negative zero.
        write!(f, "{}", tenths + 0.0)
    }
}

/// A drawing under construction: the text of its elements.
#[derive(Default)]
pub(crate) struct Svg {
    body: String,
}

/// Where a text is anchored.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// Elements as they are.
    pub fn raw(&mut self, elements: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.body, "{elements}");
    }

    /// A rectangle with round corners.
    pub fn rect(&mut self, class: &str, [x, y, width, height]: [f64; 4], radius: f64) {
        self.raw(format_args!(
            "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>",
            Px(x),
            Px(y),
            Px(width),
            Px(height),
            Px(radius)
        ));
    }

    /// A circle, with a tooltip unless that is empty.
    pub fn circle(&mut self, class: &str, (x, y): (f64, f64), radius: f64, tip: &str) {
        self.raw(format_args!(
            "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"",
            Px(x),
            Px(y),
            Px(radius)
        ));
        self.close_with_tip("circle", tip);
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.raw(format_args!(
            "<line class=\"{class}\" x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"/>",
            Px(x1),
            Px(y1),
            Px(x2),
            Px(y2)
        ));
    }

    /// A path, with a tooltip unless that is empty.
    pub fn path(&mut self, class: &str, d: &str, tip: &str) {
        self.raw(format_args!("<path class=\"{class}\" d=\"{d}\""));
        self.close_with_tip("path", tip);
    }

    /// A line of text.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        self.raw(format_args!(
            "<text class=\"{class}\" x=\"{}\" y=\"{}\"{}>{}</text>",
            Px(x),
            Px(y),
            anchor.attribute(),
            escape(text)
        ));
    }

    /// A line of text that runs upwards, centred on its place.
    pub fn upright(&mut self, class: &str, (x, y): (f64, f64), text: &str) {
        let (x, y) = (Px(x), Px(y));
        self.raw(format_args!(
            "<text class=\"{class}\" transform=\"translate({x} {y}) rotate(-90)\" \
             text-anchor=\"middle\">{}</text>",
            escape(text)
        ));
    }

    /// An arrow head that points along `(dx, dy)`, a direction along an axis, with its tip there.
    pub fn head(&mut self, class: &str, (x, y): (f64, f64), (dx, dy): (f64, f64)) {
        const LENGTH: f64 = 6.0;
        const HALF: f64 = 3.2;
        let (bx, by) = (x - LENGTH * dx, y - LENGTH * dy);
        let (lx, ly) = (bx - HALF * dy, by + HALF * dx);
        let (rx, ry) = (bx + HALF * dy, by - HALF * dx);
        self.raw(format_args!(
            "<path class=\"{class}\" d=\"M{} {}L{} {}L{} {}Z\"/>",
            Px(x),
            Px(y),
            Px(lx),
            Px(ly),
            Px(rx),
            Px(ry)
        ));
    }

    fn close_with_tip(&mut self, element: &str, tip: &str) {
        if tip.is_empty() {
            self.raw("/>");
        } else {
            self.raw(format_args!("><title>{}</title></{element}>", escape(tip)));
        }
    }

    /// The drawing with its size, for a page or as a file; `label` is read out.
    pub fn finish(self, class: &str, (width, height): (f64, f64), label: &str) -> String {
        let (width, height, label) = (Px(width), Px(height), escape(label));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"{class}\" role=\"img\" \
             viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
             aria-label=\"{label}\">{}</svg>",
            self.body
        )
    }
}

impl Svg {
    /// The drawing as a file of its own; `style` is its style sheet and the class of its background.
    pub fn file(self, class: &str, size: (f64, f64), label: &str, style: (&str, &str)) -> String {
        let ((width, height), (css, paper)) = (size, style);
        let drawing = self.finish(class, size, label);
        let at = drawing.find('>').map_or(0, |at| at + 1);
        let (open, rest) = drawing.split_at(at);
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{open}\n<style>{css}</style>\
             <rect class=\"{paper}\" width=\"{width}\" height=\"{height}\"/>\n{rest}\n"
        )
    }
}

impl Anchor {
    fn attribute(self) -> &'static str {
        match self {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        }
    }
}

/// The path along points with right angles, its corners rounded.
pub(crate) fn rounded(points: &[(f64, f64)], radius: f64) -> String {
    let mut d = String::new();
    let mut put = |letter: char, (x, y): (f64, f64)| {
        let _ = write!(d, "{letter}{} {}", Px(x), Px(y));
    };
    for (i, &point) in points.iter().enumerate() {
        let corner = i.checked_sub(1).and_then(|i| points.get(i)).zip(points.get(i + 1));
        match corner {
            None => put(if i == 0 { 'M' } else { 'L' }, point),
            Some((&before, &after)) => {
                put('L', toward(point, before, radius));
                put('Q', point);
                put(' ', toward(point, after, radius));
            }
        }
    }
    d
}

/// The point at `distance` from `from` in the direction of `to`, at most half the way.
fn toward(from: (f64, f64), to: (f64, f64), distance: f64) -> (f64, f64) {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy).max(f64::MIN_POSITIVE);
    let share = (distance / length).min(0.5);
    (from.0 + dx * share, from.1 + dy * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("<a b='\"&\u{1}>"), "&lt;a b=&#39;&quot;&amp;\u{fffd}&gt;");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(format!("{} {} {}", Px(3.0), Px(-0.01), Px(2.449)), "3 0 2.4");
    }

    #[test]
    fn corners_are_rounded_and_ends_are_kept() {
        let d = rounded(&[(0.0, 0.0), (0.0, 10.0), (20.0, 10.0)], 4.0);
        assert_eq!(d, "M0 0L0 6Q0 10 4 10L20 10");
    }
}
