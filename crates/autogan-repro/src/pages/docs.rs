//! [`write_docs`] puts every item's page into one Markdown file, with the pictures in a folder beside it.

use std::path::Path;

use autogan_files::{Error, atomic};

use super::context::Context;
use super::page;
use crate::error::Result;
use crate::item::Item;
use crate::scale::Scale;

/// Writes all pages of a scale as one file, with their pictures and numbers in a folder of the file's name. What stands in
/// `NAME-reading.md` beside it, written by hand, comes first. Commands are those of the repository.
///
/// # Errors
/// When the directory of a job is damaged, or a file cannot be written.
pub fn write_docs(file: &Path, context: &Context<'_>) -> Result<()> {
    let context = Context { program: "cargo xtask".to_owned(), ..context.clone() };
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let folder = file.with_extension("");
    std::fs::create_dir_all(&folder).map_err(Error::io("create the directory", &folder))?;
    let reading = file.with_file_name(format!("{stem}-reading.md"));
    let reading = match reading.exists() {
        true => std::fs::read_to_string(&reading).map_err(Error::io("read", &reading))?,
        false => String::new(),
    };
    let mut text = beginning(&reading);
    let scale = context.scope.scale;
    text += &format!("# `--scale {scale}`\n\n");
    for item in Item::ALL {
        let made = page(item, &context)?;
        let prefix = format!("{scale}-{item}");
        // Headings move down by one, links point into the folder.
        let mut body = made.body().replace("\n## ", "\n### ");
        for (name, content) in made.files() {
            atomic::write(&folder.join(format!("{prefix}-{name}")), content)?;
            body = body.replace(&format!("]({name})"), &format!("]({stem}/{prefix}-{name})"));
        }
        text += &format!("## {}\n\n{}\n\n", item.title(), body.trim_end());
    }
    if scale != Scale::Full {
        text += &full();
    }
    Ok(atomic::write(file, text.as_bytes())?)
}

/// The title, and what was written by hand.
fn beginning(reading: &str) -> String {
    let mut text = String::from(
        "# The paper's experiments\n\nMade by `cargo xtask repro`; do not edit. Full-size rows that were not run are \
         marked so.\n\n",
    );
    if !reading.is_empty() {
        text += reading.trim_end();
        text += "\n\n";
    }
    text
}

/// The full-size commands, none of which was run.
fn full() -> String {
    let mut text = String::from(
        "# `--scale full`\n\nThe paper's sizes, scored by Inception-v3; days on a GPU.\n\n| | command | result \
         |\n|---|---|---|\n",
    );
    for item in Item::ALL {
        text += &format!(
            "| {} | `cargo xtask repro {item} --scale full --data path/to/cifar10` | not run |\n",
            item.title()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_shows_the_reading_as_it_is() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let read = |name: &str| std::fs::read_to_string(docs.join(name)).unwrap();
        let start = beginning(&read("results-reading.md"));
        let page = read("results.md");
        assert!(
            page.starts_with(&start),
            "docs/results.md has another reading than docs/results-reading.md; make it anew with cargo xtask repro all --docs"
        );
    }
}
