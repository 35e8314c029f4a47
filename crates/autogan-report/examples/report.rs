//! Writes the report of a run directory: `cargo run -p autogan-report --example report RUN OUT.html`.

use std::path::Path;

use autogan_report::write_report;
use autogan_run::RunDir;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [run, out] = args.as_slice() else {
        return Err("expected two arguments, a run directory and a file to write".into());
    };
    write_report(&RunDir::open(Path::new(run))?, Some(Path::new(out)))?;
    Ok(())
}
