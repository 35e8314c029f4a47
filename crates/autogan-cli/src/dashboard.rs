//! `autogan dashboard` shows the runs of a directory in a browser, live.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use autogan_report::dashboard::Dashboard;

/// Look at runs in a browser: curves, samples, trials, comparisons.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The directory of runs, or one run
    #[arg(default_value = "runs", value_name = "RUNS_DIR")]
    runs: PathBuf,
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 8765)]
    port: u16,
}

/// Serves until the process ends. It fails when there is no such directory, or the port is not to be had.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let dashboard = Dashboard::open(&args.runs)
        .context("name the directory of runs, as `autogan dashboard runs`")?;
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).map_err(|error| {
            match error.kind() {
                ErrorKind::AddrInUse => anyhow!(
                    "port {} is in use, perhaps by another dashboard; name another one with --port",
                    args.port
                ),
                _ => anyhow!("cannot listen on 127.0.0.1:{}: {error}", args.port),
            }
        })?;
    println!("http://{}/", listener.local_addr()?);
    eprintln!("Runs in {}; Ctrl-C ends the dashboard.", args.runs.display());
    dashboard.serve(listener).context("the dashboard's server failed")
}
