//! `autogan arch` shows, draws, counts and converts architectures.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use autogan_report::{Drawing, arch_svg_file};
use autogan_space::{
    Arch, Budget, GeneratorShape, MAX_CELLS, TokenOrder, count, count_all,
    derived_generator_breakdown,
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
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        sizes: Sizes,
    },
    /// Count the architectures of the space, or those within a budget
    Count {
        #[command(flatten)]
        limits: Limits,
        #[command(flatten)]
        sizes: Sizes,
    },
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

/// What an architecture may cost.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Limits {
    /// Only architectures whose generator of three cells can have at most so many parameters
    #[arg(long, value_name = "N")]
    max_params: Option<u64>,
    /// Only architectures whose generator of three cells can have at most so many multiply-accumulates per image
    #[arg(long, value_name = "N")]
    max_macs: Option<u64>,
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

/// Carries the command out. It fails when an architecture cannot be read or a stage does not exist.
pub fn run(command: &Command) -> anyhow::Result<()> {
    match command {
        Command::Show { arch, sizes, json, svg } => {
            let (arch, sizes) = (parse(arch)?, *sizes);
            let shape = shape(sizes)?;
            match svg {
                Some(path) => draw(&arch, shape, path)?,
                None if *json => print!("{}", show_json(&arch, shape)?),
                None => print!("{}", show(&arch, shape)?),
            }
        }
        Command::Random { n, stage, seed, limits, sizes } => {
            let budget = budget(*limits, *sizes)?;
            let mut rng = ChaCha8Rng::seed_from_u64(*seed);
            for _ in 0..*n {
                println!("{}", budget.random(*stage, &mut rng)?);
            }
        }
        Command::Count { limits, sizes } => {
            let budget = budget(*limits, *sizes)?;
            for stage in 0..MAX_CELLS {
                println!("cell {}: {}", stage + 1, count(stage));
            }
            println!("all: {}", count_all());
            if budget.is_limited() {
                println!("within the budget: {}", budget.count(MAX_CELLS - 1));
            }
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

fn shape(sizes: Sizes) -> anyhow::Result<GeneratorShape> {
    ensure!(
        sizes.gf > 0 && sizes.latent > 0 && sizes.bottom > 0,
        "--gf, --latent, --bottom: expected 1 or more"
    );
    Ok(GeneratorShape { latent: sizes.latent, width: sizes.gf, bottom: sizes.bottom })
}

fn budget(limits: Limits, sizes: Sizes) -> anyhow::Result<Budget> {
    Ok(Budget::new(shape(sizes)?, limits.max_params, limits.max_macs)?)
}

fn show(arch: &Arch, shape: GeneratorShape) -> anyhow::Result<String> {
    let cost = derived_generator_breakdown(arch, &shape);
    let GeneratorShape { latent, width, bottom } = shape;
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
    row("linear".into(), format!("{latent} to {bottom}x{bottom}"), cost.stem)?;
    for (i, (cell, c)) in arch.cells().iter().zip(&cost.cells).enumerate() {
        let side = bottom << (i + 1);
        row(format!("cell {}", i + 1), format!("{} at {side}x{side}", cell.named()), c.total())?;
    }
    row("to rgb".into(), "batch norm, ReLU, 3x3, tanh".into(), cost.to_rgb)?;
    row("all".into(), format!("gf {width}, bottom {bottom}"), cost.total())?;
    Ok(out)
}

/// Writes the figure; the old file stays whole if that fails.
fn draw(arch: &Arch, shape: GeneratorShape, path: &Path) -> anyhow::Result<()> {
    let drawing = Drawing { shape, ..Drawing::PAPER };
    autogan_files::atomic::write(path, arch_svg_file(arch, &drawing).as_bytes())?;
    println!("{}", path.display());
    Ok(())
}

fn show_json(arch: &Arch, shape: GeneratorShape) -> anyhow::Result<String> {
    let cost = derived_generator_breakdown(arch, &shape);
    let total = cost.total();
    let value = serde_json::json!({
        "arch": arch, "named": arch.named(), "known_name": arch.known_name(), "shape": shape,
        "params": total.params, "macs": total.macs, "breakdown": cost,
    });
    Ok(serde_json::to_string_pretty(&value)? + "\n")
}
