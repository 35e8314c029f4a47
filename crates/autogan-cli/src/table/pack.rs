//! `autogan table pack`: the shards as one parquet file.

use std::path::PathBuf;

use anyhow::Context;
use autogan_table::{Origin, Table, gather};
use serde_json::json;

use crate::terminal::Terminal;

/// The most that the file may weigh, in bytes.
const LIMIT: u64 = 10_000_000;

/// Put all finished trainings into one parquet file.
///
/// Shards need not be complete. The same shards give the same bytes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of the shards
    #[arg(long, value_name = "DIR", default_value = "models/table/shards")]
    dir: PathBuf,
    /// The file
    #[arg(long, value_name = "FILE", default_value = "models/table/autogan-cifar10.parquet")]
    out: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Carries the command out. It fails when a shard is damaged, when no training is done, and when the file cannot be
/// written.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<()> {
    let found = gather(&args.dir)?;
    let rows = found.rows.len();
    if found.origin.is_none() {
        terminal.warn(&format!(
            "{}: no {} says on which images these trainings were made; `{} table make` writes it",
            args.dir.display(),
            Origin::FILE,
            crate::called::program()
        ));
    }
    Table::new(found.rows).with_origin(found.origin).write(&args.out)?;
    let size = std::fs::metadata(&args.out).context("cannot read the size of the table")?.len();
    if size > LIMIT {
        terminal.warn(&format!("{}: expected at most 10 MB", args.out.display()));
    }
    if args.json {
        let value = json!({
            "file": args.out,
            "rows": rows,
            "trainings": found.trainings,
            "missing": found.missing,
            "open_shards": found.open_shards,
            "bytes": size,
        });
        println!("{}", serde_json::to_string_pretty(&value)?);
        return Ok(());
    }
    println!("{}: {rows} rows, {:.2} MB", args.out.display(), size as f64 / 1e6);
    println!("trainings: {} done, {} of the plan missing", found.trainings, found.missing);
    if found.open_shards > 0 {
        println!("shards that are not complete: {}", found.open_shards);
    }
    Ok(())
}
