//! This module reads raw pixels from a pipe, such as those of a training loop in Python.

use std::io::IsTerminal;

use anyhow::{Context, bail, ensure};
use autogan_metrics::io::{ImageSource, OpenOptions, RawShape};

/// The name of standard input on the command line.
pub const NAME: &str = "-";

/// The name of an input in messages.
pub fn label(input: &str) -> &str {
    if input == NAME { LABEL } else { input }
}

/// The name of the pipe in messages.
const LABEL: &str = "the pipe";

/// What a pipe holds.
#[derive(Debug, Clone, clap::Args)]
pub struct PipeArgs {
    /// Shape of the raw images in the pipe that - stands for: CHANNELSxHEIGHTxWIDTH, such as 3x32x32, a byte for each value
    #[arg(long, value_name = "CxHxW")]
    raw: Option<String>,
    /// How many raw images the pipe holds; without it they are read up to its end
    #[arg(long, value_name = "N")]
    count: Option<usize>,
}

impl PipeArgs {
    /// Refuses what no pipe can hold.
    pub fn check(&self) -> anyhow::Result<()> {
        self.shape()?;
        ensure!(
            self.count.is_none() || self.raw.is_some(),
            "--count is for raw images from a pipe: give - as GEN or REF, and --raw CxHxW"
        );
        ensure!(self.count != Some(0), "--count: expected at least 1, found 0");
        Ok(())
    }

    fn shape(&self) -> anyhow::Result<Option<RawShape>> {
        let read = |text: &String| text.parse().with_context(|| format!("--raw {text}"));
        self.raw.as_ref().map(read).transpose()
    }

    /// Refuses a pipe without a shape, a shape without a pipe, and two pipes.
    pub fn check_inputs(&self, inputs: &[&str]) -> anyhow::Result<()> {
        match inputs.iter().filter(|input| **input == NAME).count() {
            0 if self.raw.is_some() => {
                bail!(
                    "--raw is for images from a pipe, and no input is {NAME}: give {NAME} as GEN or REF"
                )
            }
            1 if self.raw.is_none() => {
                bail!(
                    "{NAME} stands for raw images from a pipe: give their shape, such as --raw 3x32x32"
                )
            }
            0 | 1 => Ok(()),
            _ => bail!("there is one pipe, and both inputs are {NAME}: give one of them as a path"),
        }
    }

    /// The images in the pipe; none of them is read yet.
    pub fn open(&self, options: &OpenOptions) -> anyhow::Result<ImageSource> {
        let shape = self.shape()?.context("a pipe has a shape")?;
        let stdin = std::io::stdin();
        ensure!(
            !stdin.is_terminal(),
            "{NAME}: expected a pipe of raw images, found a terminal; write the pixels to the standard input of this \
             command: docs/scoring.md shows how in Python"
        );
        Ok(ImageSource::from_pipe(LABEL, Box::new(stdin), shape, self.count, options))
    }
}
