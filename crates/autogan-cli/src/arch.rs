//! `autogan arch`: architectures shown, drawn at random, counted, converted.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use autogan_report::{Drawing, arch_svg_file};
use autogan_space::{
    Arch, GeneratorShape, MAX_CELLS, TokenOrder, count, count_all, derived_generator_breakdown,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::arch_arg::parse;

/// What is to be done with architectures.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Show an architecture: its cells, what each costs, its other notations
    Show {
        /// Released vector, named form, a published name (autogan-a, autogan-b, autogan-c, e2gan), a file, or a run
        #[arg(required = true, num_args = 1.., value_name = "ARCH")]
        arch: Vec<String>,
        #[command(flatten)]
        sizes: Sizes,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// Draw it into this file instead, as SVG; prints the file's name
        #[arg(long, value_name = "FILE", conflicts_with = "json")]
        svg: Option<PathBuf>,
    },
    /// Draw architectures uniformly
    Random {
        /// How many
        #[arg(short, default_value_t = 1)]
        n: usize,
        /// Last stage, from 0: architectures of one, two or three cells
        #[arg(long, default_value_t = MAX_CELLS - 1)]
        stage: usize,
        /// What the draws follow from
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// Count the architectures of the space
    Count,
    /// Print an architecture in another notation
    Convert {
        /// Released vector, named form, a published name, a file, or a run
        #[arg(required = true, num_args = 1.., value_name = "ARCH")]
        arch: Vec<String>,
        /// Notation to print
        #[arg(long, value_enum, default_value_t = Notation::Named)]
        to: Notation,
    },
}

/// The sizes that cost is counted for.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Sizes {
    /// Channels
    #[arg(long, default_value_t = 256)]
    gf: usize,
    /// Length of the latent vector
    #[arg(long, default_value_t = 128)]
    latent: usize,
    /// Side of the first feature map
    #[arg(long, default_value_t = 4)]
    bottom: usize,
}

/// How an architecture can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Notation {
    /// Integers, as the released code prints them
    Released,
    /// Words
    Named,
    /// JSON array of the released integers
    Json,
    /// The controller's tokens, skips first
    Tokens,
}

/// Carries the command out.
///
/// # Errors
/// When an architecture cannot be read or a stage does not exist.
pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Show { arch, sizes, json, svg } => {
            let (arch, sizes) = (parse(arch)?, *sizes);
            ensure!(
                sizes.gf > 0 && sizes.latent > 0 && sizes.bottom > 0,
                "--gf, --latent, --bottom: expected 1 or more"
            );
            match svg {
                Some(path) => draw(&arch, sizes, path)?,
                None if *json => print!("{}", show_json(&arch, sizes)?),
                None => print!("{}", show(&arch, sizes)?),
            }
        }
        Command::Random { n, stage, seed } => {
            let mut rng = ChaCha8Rng::seed_from_u64(*seed);
            for _ in 0..*n {
                println!("{}", Arch::random(*stage, &mut rng)?);
            }
        }
        Command::Count => {
            for stage in 0..MAX_CELLS {
                println!("cell {}: {}", stage + 1, count(stage));
            }
            println!("all: {}", count_all());
        }
        Command::Convert { arch, to } => println!("{}", convert(&parse(arch)?, *to)?),
    }
    Ok(())
}

fn convert(arch: &Arch, to: Notation) -> anyhow::Result<String> {
    Ok(match to {
        Notation::Released => arch.to_string(),
        Notation::Named => arch.named(),
        Notation::Json => serde_json::to_string(arch)?,
        Notation::Tokens => {
            let cells = arch.cells().iter().map(|cell| {
                let tokens = cell.to_tokens(TokenOrder::SkipsFirst);
                tokens.iter().map(usize::to_string).collect::<Vec<_>>().join(" ")
            });
            cells.collect::<Vec<_>>().join(" / ")
        }
    })
}

fn shape(sizes: Sizes) -> GeneratorShape {
    GeneratorShape { latent: sizes.latent, width: sizes.gf, bottom: sizes.bottom }
}

fn show(arch: &Arch, sizes: Sizes) -> anyhow::Result<String> {
    let cost = derived_generator_breakdown(arch, &shape(sizes));
    let mut out = String::new();
    if let Some(name) = arch.known_name() {
        writeln!(out, "{name}")?;
    }
    writeln!(out, "vector  {arch}")?;
    writeln!(out, "named   {}\n", arch.named())?;
    writeln!(out, "{:<8}{:<46}{:>12}{:>16}", "part", "choices", "parameters", "MACs/image")?;
    let mut row = |part: String, choices: String, c: autogan_space::Cost| {
        writeln!(out, "{part:<8}{choices:<46}{:>12}{:>16}", c.params, c.macs)
    };
    row(
        "linear".into(),
        format!("{} to {}x{}", sizes.latent, sizes.bottom, sizes.bottom),
        cost.stem,
    )?;
    for (i, (cell, c)) in arch.cells().iter().zip(&cost.cells).enumerate() {
        let side = sizes.bottom << (i + 1);
        row(format!("cell {}", i + 1), format!("{} at {side}x{side}", cell.named()), c.total())?;
    }
    row("to rgb".into(), "batch norm, ReLU, 3x3, tanh".into(), cost.to_rgb)?;
    row("all".into(), format!("gf {}, bottom {}", sizes.gf, sizes.bottom), cost.total())?;
    Ok(out)
}

/// Writes the figure; the old file stays whole if that fails.
fn draw(arch: &Arch, sizes: Sizes, path: &Path) -> anyhow::Result<()> {
    let drawing = Drawing { shape: shape(sizes), ..Drawing::PAPER };
    autogan_run::atomic::write(path, arch_svg_file(arch, &drawing).as_bytes())?;
    println!("{}", path.display());
    Ok(())
}

fn show_json(arch: &Arch, sizes: Sizes) -> anyhow::Result<String> {
    let shape = shape(sizes);
    let cost = derived_generator_breakdown(arch, &shape);
    let total = cost.total();
    let value = serde_json::json!({
        "arch": arch, "named": arch.named(), "known_name": arch.known_name(), "shape": shape,
        "params": total.params, "macs": total.macs, "breakdown": cost,
    });
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}
