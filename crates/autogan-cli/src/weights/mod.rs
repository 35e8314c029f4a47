//! `autogan weights` fetches, checks and converts the weights of the Inception network, and weight files in general.

mod convert;
mod fetch;
mod order;
mod selftest;
mod verify;

pub use fetch::inception_file;

/// Fetch, check and convert weight files; check the scorer against published values.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Fetch the Inception weights from the Hugging Face hub into its cache, and print where they lie.
    Fetch(fetch::Args),
    /// Check that a file holds the whole Inception network, and say which one it is.
    Verify(verify::Args),
    /// Convert a .pth file (either container) to safetensors, or any weight file to .pth.
    Convert(convert::Args),
    /// Score CIFAR-10 with the published weights and compare with the published scores (takes hours on a CPU).
    Selftest(selftest::Args),
}

/// Carries the command out. It fails when a file cannot be had, read or written, is not what it should be, or a score
/// is not the published one.
pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Fetch(args) => fetch::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Selftest(args) => selftest::run(args),
    }
}
