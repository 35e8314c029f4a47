//! A [`Subject`] is a command of `autogan` that writes files, small enough to be run thousands of times.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::tiny::{search_settings, training_settings};

/// The directory of runs, and the run under test, below the folder in which the command runs.
pub const RUNS: &str = "runs";
/// The run under test, as the command line names it; or the folder of the file that a command writes.
pub const RUN: &str = "runs/run";

/// The architecture that a training trains.
const ARCH: &str = "1 0 1 1 1 0 0 1 1 1 0 1 0 3";

/// What is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// A search, with a checkpoint after each unit of work.
    Search,
    /// A training from scratch, with a checkpoint after each unit of work.
    Train,
    /// The statistics of a few images, written to a file that is there already.
    Stats,
}

/// The file that [`Subject::Stats`] writes, in the folder [`RUN`].
pub const STATS: &str = "stats.npz";
/// What is in it before.
pub const OLD: &[u8] = b"older statistics";

/// The images of [`Subject::Stats`], in a format that is a header and the pixels.
pub const IMAGES: &str = "images.npy";

impl Subject {
    /// The name of the command.
    pub fn name(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Train => "train",
            Self::Stats => "stats",
        }
    }

    /// Makes what the command needs in `dir`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prepare(self, dir: &Path) -> Result<()> {
        if self == Self::Stats {
            fs::create_dir_all(dir.join(RUN))?;
            fs::write(dir.join(RUN).join(STATS), OLD)?;
            fs::write(dir.join(IMAGES), images())?;
        }
        Ok(())
    }

    /// What every finished run has, by the starts of the paths.
    pub fn results(self) -> &'static [&'static str] {
        match self {
            Self::Search => &["arch.json", "checkpoints/", "samples/", "run.sqlite", "report.html"],
            Self::Train => &["scores.json", "best.safetensors", "checkpoints/", "run.sqlite"],
            Self::Stats => &[STATS],
        }
    }

    /// The command that begins the run in `dir`.
    pub fn start(self, program: &Path, dir: &Path) -> Command {
        let settings = match self {
            Self::Search => search_settings(&["search.iterations=3"]),
            Self::Train => training_settings(&[]),
            Self::Stats => {
                let mut command = command(program, dir, &["score", "stats", IMAGES]);
                command.args(["--extractor", "compact-shapes", "-o"]).arg(format!("{RUN}/{STATS}"));
                return command;
            }
        };
        let mut command = command(program, dir, &[self.name(), "--run-dir", RUN]);
        command.args(OFTEN);
        command.args(settings.into_iter().flat_map(|setting| ["--set", setting]));
        if self == Self::Train {
            command.args(["--arch", ARCH]);
        }
        command
    }

    /// The command that goes on with the run in `dir`, or begins it where there is none yet.
    pub fn go_on(self, program: &Path, dir: &Path) -> Command {
        if !dir.join(RUN).join("config.toml").exists() {
            return self.start(program, dir);
        }
        let mut command = command(program, dir, &[self.name(), "--resume", RUN]);
        command.args(OFTEN);
        command
    }
}

/// A checkpoint after each unit of work.
const OFTEN: [&str; 2] = ["--checkpoint-every", "0s"];

fn command(program: &Path, dir: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(words).args(["--threads", "1"]);
    command.current_dir(dir).env("HF_HUB_OFFLINE", "1");
    command.env_remove("AUTOGAN_CALLED_AS").env_remove("AUTOGAN_LOG");
    command
}

/// Forty images of 32 x 32 pixels, as NumPy writes them.
fn images() -> Vec<u8> {
    let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (40, 32, 32, 3), }";
    let padded = format!("{header:<117}\n");
    let pixels = (0..40_u32 * 32 * 32 * 3).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
    b"\x93NUMPY\x01\x00\x76\x00".iter().copied().chain(padded.into_bytes()).chain(pixels).collect()
}

/// The newest checkpoint among these paths.
pub fn newest_checkpoint(paths: &[PathBuf]) -> Option<&PathBuf> {
    let is_one = |path: &&PathBuf| path.parent().is_some_and(|dir| dir.ends_with("checkpoints"));
    paths.iter().filter(is_one).max()
}
