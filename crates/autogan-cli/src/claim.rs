//! `autogan claim`: is the search of the proposed default better than random search at the same price?

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::ensure;
use autogan_repro::{
    Arm, ClaimMaker, Contrast, Finished, JUDGED, LEAST, LEVEL, Prices, ROUNDS, Round, RoundFile,
    Rules, Verdict, verdict,
};
use autogan_run::export::{Align, aligned};
use autogan_search::{Outcome, Sources};
use indicatif::ProgressBar;

use crate::signals::Signals;
use crate::terminal::{Terminal, bar, print, say};

/// Compare the proposed default search with random search, by rules that were fixed before.
///
/// Each search may cost 600 seconds of one thread by the price list of the claim. What it finds is trained six times from
/// scratch, with seeds that no search saw; what counts is −ln of the Fréchet distance. Rows of finished searches are kept
/// in DIR, one file for each round; after a stop, the same command goes on. docs/strategies.md has the rules.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The round, 1 to 3; each has its own seeds
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=ROUNDS))]
    round: u64,
    /// Directory of CIFAR-10's files; without it, CIFAR-10 comes from the hub or its cache
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Directory of the rows
    #[arg(long, value_name = "DIR", default_value = "models/claim")]
    dir: PathBuf,
    /// Directory of the searches' run directories
    #[arg(long, value_name = "DIR", default_value = "claim")]
    runs: PathBuf,
    /// Number of searches at a time; without it one on each core
    #[arg(long, value_name = "N")]
    at_once: Option<usize>,
    /// List the arms with what their searches cost, and do nothing
    #[arg(long, conflicts_with = "no_run")]
    dry_run: bool,
    /// Say what the finished searches show, and run nothing
    #[arg(long)]
    no_run: bool,
    /// Never touch the network
    #[arg(long)]
    offline: bool,
}

/// Carries the command out.
///
/// # Errors
/// When data are missing, a search fails, or a file cannot be read or written.
pub fn run(args: &Args, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let round = Round::new(args.round)?;
    if args.dry_run {
        return prices().and_then(|text| print(text.as_bytes())).map(|()| ExitCode::SUCCESS);
    }
    if !args.no_run {
        let signals = Signals::listen()?;
        if make(args, round, &signals, terminal)? == Outcome::Stopped {
            terminal.note("stopped; the same command goes on");
            return Ok(signals.exit_code());
        }
    }
    let file = RoundFile::open(&args.dir, round)?;
    print(told(round, &verdict(round, file.rows())).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Carries out what is missing of a round.
fn make(
    args: &Args,
    round: Round,
    signals: &Signals,
    terminal: &Terminal,
) -> anyhow::Result<Outcome> {
    let at_once =
        args.at_once.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
    ensure!(at_once > 0, "--at-once: expected 1 or more, found 0");
    let missing = RoundFile::open(&args.dir, round)?.missing().len();
    if missing == 0 {
        return Ok(Outcome::Finished);
    }
    let mut sources = Sources::new(crate::hub::open(args.offline, terminal.quiet));
    sources.data.clone_from(&args.data);
    let maker = ClaimMaker::new(&sources, args.runs.clone())?;
    std::fs::create_dir_all(&args.dir)?;
    maker.origin().keep(&args.dir)?;
    let all = round.searches().len();
    let hidden = terminal.quiet || terminal.is_json();
    let bar = bar(all, "{bar:28.cyan/dim} {pos}/{len} searches, about {eta} left", hidden);
    bar.set_position((all - missing) as u64);
    bar.reset_eta();
    let bar = Mutex::new(bar);
    let tell = |finished: Finished<'_>| {
        if let Ok(bar) = bar.lock() {
            ended(&bar, &finished, all, terminal);
        }
    };
    Ok(maker.make(round, &args.dir, at_once, signals.stop(), &tell)?)
}

fn ended(bar: &ProgressBar, finished: &Finished<'_>, all: usize, terminal: &Terminal) {
    let Finished { row, left } = finished;
    bar.set_position((all - left) as u64);
    if terminal.quiet {
        return;
    }
    let found = row.arch.as_ref().map_or("nothing: it diverged".to_owned(), ToString::to_string);
    let scores: Vec<String> = row
        .trainings
        .iter()
        .map(|scores| scores.map_or("diverged".to_owned(), |(frechet, _)| format!("{frechet:.2}")))
        .collect();
    let text = format!(
        "{}/{all} {} seed {}: {found} in {:.0} s; frechet {}",
        all - left,
        row.arm.name(),
        row.seed,
        row.seconds,
        scores.join(" ")
    );
    if terminal.is_json() {
        terminal.note(&text);
    } else {
        bar.suspend(|| say(&text));
    }
}

/// The arms with what their searches cost.
fn prices() -> anyhow::Result<String> {
    let prices = Prices::of_claim()?;
    let mut rows =
        vec![["arm", "what it is", "price of a search, at most"].map(str::to_owned).to_vec()];
    for arm in Arm::ALL {
        let price = arm.price((&Rules::CLAIM, &prices))?;
        rows.push(vec![arm.name().to_owned(), arm.title().to_owned(), format!("{price:.1} s")]);
    }
    let text = aligned(&rows, &[Align::Left, Align::Left, Align::Right]);
    Ok(format!("{text}\nseconds of one thread, as measured once on {}\n", prices.host))
}

/// What a round shows, for people.
fn told(round: Round, found: &Verdict) -> String {
    let (whole, all) = found.seeds;
    let mut text = format!("round {}: {whole} of {all} seeds are finished\n", round.number());
    let Some(holds) = found.holds() else {
        return text
            + "nothing is said before all of them are: a look on the way would tempt to stop early\n";
    };
    let mut rows = vec![["arm", "−ln F", "IS"].map(str::to_owned).to_vec()];
    for (arm, value, is) in &found.means {
        rows.push(vec![arm.title().to_owned(), format!("{value:.3}"), format!("{is:.3}")]);
    }
    text += &format!("\n{}", aligned(&rows, &[Align::Left, Align::Right, Align::Right]));
    let header = ["the proposed default minus", "difference", "95 % interval", "p", ""];
    let mut rows = vec![header.map(str::to_owned).to_vec()];
    rows.extend(found.contrasts.iter().map(contrast));
    let align = [Align::Left, Align::Right, Align::Right, Align::Right, Align::Left];
    text += &format!("\n{}", aligned(&rows, &align));
    text += &format!(
        "\neach winner was trained {JUDGED} times; a search cost {:.0} s at most; a contrast holds with p below \
         {LEVEL:.5} and a difference of {LEAST:.2} or more\n",
        Rules::CLAIM.budget
    );
    text + match holds {
        true => "the claim holds\n",
        false => "the claim does not hold in this round\n",
    }
}

fn contrast(contrast: &Contrast) -> Vec<String> {
    let name = contrast.arm.title().to_owned();
    let p = contrast.p.map_or("–".to_owned(), |p| format!("{p:.5}"));
    let [mean, interval] = match &contrast.mean {
        Some(d) => [format!("{:+.3}", d.estimate), format!("[{:+.3}, {:+.3}]", d.low, d.high)],
        None => ["–".to_owned(), "–".to_owned()],
    };
    let holds = match (Arm::COMPARED.contains(&contrast.arm), contrast.holds()) {
        (false, _) => "beside the claim",
        (true, true) => "holds",
        (true, false) => "does not hold",
    };
    vec![name, mean, interval, p, holds.to_owned()]
}
