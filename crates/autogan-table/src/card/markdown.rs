//! A [`Page`] is Markdown under construction, whose tables are aligned in the text too.

/// A page.
#[derive(Debug)]
pub(super) struct Page {
    text: String,
}

impl Page {
    pub fn new(title: &str) -> Self {
        Self { text: format!("# {title}\n") }
    }

    /// A heading below the title.
    pub fn heading(&mut self, text: &str) {
        self.text += &format!("\n## {text}\n");
    }

    /// A paragraph, broken into lines of at most 100 characters where there are blanks.
    pub fn text(&mut self, text: &str) {
        self.text.push('\n');
        self.wrap("", text);
    }

    /// A list.
    pub fn list(&mut self, items: &[String]) {
        self.text.push('\n');
        for item in items {
            self.wrap("- ", item);
        }
    }

    /// Lines as they are.
    pub fn code(&mut self, language: &str, text: &str) {
        self.text += &format!("\n```{language}\n{text}\n```\n");
    }

    /// A table, whose first `left` columns are aligned to the left, the others to the right.
    pub fn table(&mut self, left: usize, head: &[&str], rows: &[Vec<String>]) {
        let width = |column: usize| {
            let cells =
                rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([head[column].chars().count(), 3]).max().unwrap_or(3)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |cells: &mut dyn Iterator<Item = &str>| {
            let cells =
                cells.zip(&widths).enumerate().map(|(column, (cell, width))| match column < left {
                    true => format!("{cell:<width$}"),
                    false => format!("{cell:>width$}"),
                });
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        self.text.push('\n');
        self.text += &line(&mut head.iter().copied());
        let rules = widths.iter().enumerate().map(|(column, width)| match column < left {
            true => "-".repeat(width + 2),
            false => "-".repeat(width + 1) + ":",
        });
        self.text += &format!("|{}|\n", rules.collect::<Vec<_>>().join("|"));
        for row in rows {
            self.text += &line(&mut row.iter().map(String::as_str));
        }
    }

    pub fn finish(self) -> String {
        self.text
    }

    fn wrap(&mut self, mark: &str, text: &str) {
        let mut line = mark.to_owned();
        for word in text.split(' ') {
            let blank = !line.is_empty() && !line.ends_with(' ');
            if blank && line.chars().count() + 1 + word.chars().count() > 100 {
                self.text += &line;
                self.text.push('\n');
                line = " ".repeat(mark.len()) + word;
            } else {
                line.push_str(if blank { " " } else { "" });
                line.push_str(word);
            }
        }
        self.text += &line;
        self.text.push('\n');
    }
}

/// A number with so many decimals; a dash for one that is unknown.
pub(super) fn number(value: Option<f64>, decimals: usize) -> String {
    match value.filter(|value| value.is_finite()) {
        Some(value) => format!("{value:.decimals$}").replace('-', "−"),
        None => "–".to_owned(),
    }
}

/// A number with its interval: `0.79 [0.71, 0.85]`.
pub(super) fn with_interval(value: f64, interval: Option<(f64, f64)>) -> String {
    let value = number(Some(value), 2);
    match interval {
        Some((low, high)) => {
            format!("{value} [{}, {}]", number(Some(low), 2), number(Some(high), 2))
        }
        None => value,
    }
}

/// A count with commas between thousands.
pub(super) fn count(value: usize) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_read_well() {
        let mut page = Page::new("T");
        page.heading("One");
        page.table(
            1,
            &["a", "number"],
            &[vec!["long name".into(), "1".into()], vec!["b".into(), "−23".into()]],
        );
        page.list(&["x ".repeat(60).trim().to_owned(), "y".into()]);
        let lines = format!("- {}\n  {}\n- y\n", "x ".repeat(49).trim(), "x ".repeat(11).trim());
        let table = "| a         | number |\n|-----------|-------:|\n| long name |      1 |\n| b         |    −23 |\n";
        assert_eq!(page.finish(), format!("# T\n\n## One\n\n{table}\n{lines}"));
    }

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(number(Some(-0.126), 2), "−0.13");
        assert_eq!([number(None, 2), number(Some(f64::NAN), 2)], ["–", "–"]);
        assert_eq!(with_interval(0.5, Some((-0.25, 0.75))), "0.50 [−0.25, 0.75]");
        assert_eq!([1, 999, 1000, 1_234_567].map(count), ["1", "999", "1,000", "1,234,567"]);
    }
}
