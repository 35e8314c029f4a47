//! A page shows what the jobs of an item came to, as tables, plots and numbers, beside what the paper says.

mod archs;
mod compare;
mod context;
mod docs;
mod learned;
mod proxy;
mod random;
mod tables;
mod text;
mod versus;

use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::item::Item;

pub use autogan_report::markdown::Page;
pub use context::Context;
pub use docs::write_docs;

/// The page of an item, from what its jobs hold now; what is not finished is marked as not run.
///
/// # Errors
/// When the directory of a job is damaged.
pub fn page(item: Item, context: &Context<'_>) -> Result<Page> {
    let mut page = Page::default();
    page.text(text::about(item));
    context.opening(&mut page, item)?;
    match item {
        Item::Table1 => tables::cifar10(&mut page, context)?,
        Item::Table2 => tables::transfer(&mut page, context)?,
        Item::Fig3 => archs::found(&mut page, context)?,
        Item::Fig4 => tables::grids(&mut page, context, false)?,
        Item::Fig5 => tables::grids(&mut page, context, true)?,
        Item::Fig6 => archs::top_three(&mut page, context)?,
        Item::Fig7 => proxy::write(&mut page, context)?,
        Item::Fig8 => versus::reward(&mut page, context)?,
        Item::Fig9 => versus::reset(&mut page, context)?,
        Item::Fig10 => versus::levels(&mut page, context)?,
        Item::Random => random::write(&mut page, context)?,
    }
    context.closing(&mut page, item)?;
    Ok(page)
}

/// Writes the page of an item to `ITEM/index.md` under `root`, the directory of the scale.
///
/// # Errors
/// When the directory of a job is damaged, or the page cannot be written.
pub fn write_page(item: Item, context: &Context<'_>, root: &Path) -> Result<PathBuf> {
    Ok(page(item, context)?.write(&root.join(item.name()), item.title())?)
}
