//! `autogan table make`: the trainings of the table.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::ensure;
use autogan_repro::{TableMaker, TableTraining};
use autogan_search::{Outcome, Sources};
use autogan_table::{Kept, Origin, Planned, Shard, ShardFile, expected_seconds, plan};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::signals::Signals;
use crate::terminal::{Terminal, say};

/// Carry out the trainings of the table that are missing.
///
/// One training takes one thread. Finished trainings are kept in DIR, in one file for each shard. After a stop, the same
/// command goes on. The first part of the shards, of any size, is a sample of all. DIR also keeps the hash of the images and
/// of the scorer, and trainings on other images are refused.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directory of CIFAR-10's files; without it, CIFAR-10 comes from the hub or its cache
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Directory of the shards
    #[arg(long, value_name = "DIR", default_value = "models/table/shards")]
    dir: PathBuf,
    /// Number of trainings at a time; without it one on each core
    #[arg(long, value_name = "N")]
    at_once: Option<usize>,
    /// Only the first part of the shards, in percent of all
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=100))]
    percent: u64,
    /// Only the shards of so many cells
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=3))]
    cells: Option<u8>,
    /// Only the I-th of N shares of the shards, so that N machines divide the work
    #[arg(long, value_name = "I/N", value_parser = share)]
    share: Option<(usize, usize)>,
    /// Never touch the network
    #[arg(long)]
    offline: bool,
}

/// A share such as 1/2.
fn share(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    parts.filter(|&(i, n)| i >= 1 && i <= n).ok_or_else(|| "expected I/N with I from 1 to N".into())
}

/// Carries the command out.
///
/// # Errors
/// When data are missing, a training fails, or a file cannot be read or written.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let at_once =
        args.at_once.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    ensure!(at_once > 0, "--at-once: expected 1 or more, found 0");
    let mut sources = Sources::new(crate::hub::open(args.offline, terminal.quiet));
    sources.data.clone_from(&args.data);
    let mut waiting = Vec::new();
    let mut bar = Bar::new(terminal);
    for shard in args.shards() {
        let file = ShardFile::open(&args.dir, shard.clone())?;
        bar.expect(&shard.trainings, file.missing());
        if !file.missing().is_empty() {
            waiting.push(shard);
        }
    }
    std::fs::create_dir_all(&args.dir)?;
    let signals = Signals::listen()?;
    let maker = TableMaker::new(&sources)?;
    if maker.origin().keep(&args.dir)? == Kept::Assumed {
        terminal.warn(&format!(
            "{}: it holds trainings, but no {} says on which images they were made. It is now taken that they were made on \
             these images; if not, remove the file and name the right images with --data DIR",
            args.dir.display(),
            Origin::FILE
        ));
    }
    bar.begin();
    let bar = Mutex::new(bar);
    let tell = |ended: TableTraining<'_>| {
        if let Ok(mut bar) = bar.lock() {
            bar.ended(&ended);
        }
    };
    let outcome = maker.make(waiting, args.dir.clone(), at_once, signals.stop(), &tell)?;
    Ok(match outcome {
        Outcome::Finished => ExitCode::SUCCESS,
        Outcome::Stopped => {
            terminal.note("stopped; the same command goes on");
            signals.exit_code()
        }
    })
}

impl Args {
    /// The shards that were asked for.
    fn shards(&self) -> Vec<Shard> {
        let all = plan();
        let first = (all.len() as u64 * self.percent).div_ceil(100) as usize;
        let (i, n) = self.share.unwrap_or((1, 1));
        let part = all.into_iter().take(first).enumerate().filter(|(at, _)| at % n == i - 1);
        let of_cells = |shard: &Shard| {
            let cells = shard.trainings.first().map(|training| training.arch.cells().len());
            self.cells.is_none_or(|wanted| cells == Some(wanted.into()))
        };
        part.map(|(_, shard)| shard).filter(of_cells).collect()
    }
}

/// A bar over all trainings, by the time that they are expected to take.
struct Bar<'a> {
    terminal: &'a Terminal,
    bar: ProgressBar,
    trainings: usize,
    done: usize,
    length: u64,
    position: u64,
}

impl<'a> Bar<'a> {
    fn new(terminal: &'a Terminal) -> Self {
        let bar = ProgressBar::no_length();
        if terminal.quiet || terminal.is_json() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self { terminal, bar, trainings: 0, done: 0, length: 0, position: 0 }
    }

    /// Counts the trainings of a shard, and those of them that are missing.
    fn expect(&mut self, all: &[Planned], missing: &[Planned]) {
        self.trainings += all.len();
        self.done += all.len() - missing.len();
        self.length += all.iter().map(milliseconds).sum::<u64>();
        self.position += all[..all.len() - missing.len()].iter().map(milliseconds).sum::<u64>();
    }

    fn begin(&mut self) {
        // The template is a constant of this file; the plain style serves if it were wrong.
        self.bar.set_style(
            ProgressStyle::with_template(
                "{bar:28.cyan/dim} {percent:>3} %  {msg}, about {eta} left",
            )
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        self.bar.set_length(self.length);
        self.bar.set_position(self.position);
        self.bar.reset_eta();
        self.bar.set_message(format!("{}/{} trainings", self.done, self.trainings));
    }

    fn ended(&mut self, ended: &TableTraining<'_>) {
        self.done += 1;
        self.bar.inc(milliseconds(ended.training));
        self.bar.set_message(format!("{}/{} trainings", self.done, self.trainings));
        if self.terminal.quiet {
            return;
        }
        let Some(last) = ended.rows.last() else { return };
        let scores = last.scores.map_or("diverged".to_owned(), |scores| {
            format!("is {:.3}, frechet {:.3}", scores.is, scores.frechet)
        });
        let text = format!(
            "{}/{} {}: {} seed {}: {scores}, {:.1} s",
            self.done, self.trainings, ended.shard, last.arch, last.seed, last.seconds
        );
        if self.terminal.is_json() {
            self.terminal.note(&text);
        } else {
            self.bar.suspend(|| say(&text));
        }
    }
}

fn milliseconds(training: &Planned) -> u64 {
    (expected_seconds(training.arch.cells().len(), training.iterations) * 1000.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        assert_eq!(share("2/3"), Ok((2, 3)));
        for wrong in ["0/2", "3/2", "1", "a/b", "1/0"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }
}
