//! [`aligned`] writes columns of text that stand under each other, for people.

/// How a column is aligned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows, the header first, as lines whose columns stand under each other, two spaces apart. A row may be shorter than
/// `align`; what is beyond it is left out.
pub fn aligned(rows: &[Vec<String>], align: &[Align]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..align.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).zip(align).map(|((cell, &width), align)| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let rows: Vec<Vec<String>> =
            [vec!["run", "n"], vec!["long name", "1000"], vec!["é", "7"], vec!["x"]]
                .iter()
                .map(|row| row.iter().map(|cell| (*cell).to_owned()).collect())
                .collect();
        let text = aligned(&rows, &[Align::Left, Align::Right]);
        assert_eq!(text, "run           n\nlong name  1000\né             7\nx\n");
    }
}
