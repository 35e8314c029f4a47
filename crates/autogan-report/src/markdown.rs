//! A [`Page`] is Markdown under construction, with plots and their numbers as files beside it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use autogan_files::{Error, Result, atomic};
use autogan_run::export::quoted;

/// A page with its files.
#[derive(Debug, Clone, Default)]
pub struct Page {
    text: String,
    files: Vec<(String, Vec<u8>)>,
}

impl Page {
    /// A paragraph.
    pub fn text(&mut self, text: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{text}\n");
    }

    /// A list.
    pub fn list(&mut self, items: &[String]) {
        let lines: Vec<String> = items.iter().map(|item| format!("- {item}")).collect();
        self.text(&lines.join("\n"));
    }

    /// A heading below the page's title.
    pub fn heading(&mut self, text: &str) {
        self.text(&format!("## {text}"));
    }

    /// A table; the first column is left aligned, the others right.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let head: Vec<String> = head.iter().map(|cell| escaped(cell)).collect();
        self.text += &line(&head);
        self.text += "|---";
        self.text += &"|---:".repeat(head.len().saturating_sub(1));
        self.text += "|\n";
        for row in rows {
            let row: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
            self.text += &line(&row);
        }
        self.text += "\n";
    }

    /// A picture that is written beside the page.
    pub fn picture(&mut self, file: &str, alt: &str, content: Vec<u8>) {
        self.text(&format!("![{alt}]({file})"));
        self.files.push((file.to_owned(), content));
    }

    /// Numbers that are written beside the page as CSV.
    pub fn csv(&mut self, file: &str, head: &[&str], rows: &[Vec<String>]) {
        let line = |cells: Vec<String>| cells.join(",") + "\n";
        let mut text = line(head.iter().map(|cell| quoted(cell)).collect());
        for row in rows {
            text += &line(row.iter().map(|cell| quoted(cell)).collect());
        }
        self.text(&format!("Numbers: [{file}]({file})"));
        self.files.push((file.to_owned(), text.into_bytes()));
    }

    /// The Markdown below the title.
    pub fn body(&self) -> &str {
        &self.text
    }

    /// The pictures and numbers by name.
    pub fn files(&self) -> &[(String, Vec<u8>)] {
        &self.files
    }

    /// Writes `index.md` and the files into `dir`, each atomically, the page last.
    ///
    /// # Errors
    /// The file system's error.
    pub fn write(&self, dir: &Path, title: &str) -> Result<PathBuf> {
        std::fs::create_dir_all(dir).map_err(Error::io("create the directory", dir))?;
        for (name, content) in &self.files {
            atomic::write(&dir.join(name), content)?;
        }
        let path = dir.join("index.md");
        let text = format!("# {title}\n\n{}\n", self.text.trim_end());
        atomic::write(&path, text.as_bytes())?;
        Ok(path)
    }
}

fn escaped(cell: &str) -> String {
    cell.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_lie_beside_the_page() {
        let dir = tempfile::tempdir().unwrap();
        let mut page = Page::default();
        page.heading("One");
        page.table(&["a", "b|c"], &[vec!["x".into(), "1".into()]]);
        page.csv("n.csv", &["name", "value"], &[vec!["say \"a, b\"".into(), "2".into()]]);
        page.picture("p.svg", "a plot", b"<svg/>".to_vec());
        let path = page.write(&dir.path().join("fig7"), "Figure 7").unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("# Figure 7\n\n## One\n\n| a | b\\|c |\n|---|---:|\n| x | 1 |\n\n")
        );
        assert!(text.ends_with("![a plot](p.svg)\n"), "{text}");
        let csv = std::fs::read_to_string(dir.path().join("fig7/n.csv")).unwrap();
        assert_eq!(csv, "name,value\n\"say \"\"a, b\"\"\",2\n");
    }
}
