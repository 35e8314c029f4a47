//! `autogan train --from-run` trains the best architectures of a search in turn (section 3.3.3).
//!
//! Each of them has a run directory of its own, `rank-1` and so on, under one directory. A training that is finished
//! there is not done again, so the same command goes on where it was stopped. One that diverges cannot win, and the others
//! go on without it.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::called::program;
use anyhow::{Context, ensure};
use autogan_config::Configuration;
use autogan_run::export::{Align, aligned};
use autogan_run::{FoundArch, RunDir, ScoresFile, TrainedArch, WinnerFile, by_score};
use autogan_search::{Outcome, SearchError, Training, TrainingConfig, best_is_intact};

use super::Args;
use crate::run_args::{Runner, config_of};

/// The best of a search, each with the configuration that it is trained with.
pub type Candidates = Vec<(FoundArch, TrainingConfig)>;

/// The best of `run`, as many as the command line asks for.
pub fn candidates(args: &Args, run: &RunDir) -> anyhow::Result<Candidates> {
    let found = run.arch()?.with_context(|| {
        let path = run.path().display();
        format!("{path} has no arch.json yet; finish the search with --resume first")
    })?;
    let top = args.top;
    ensure!(
        (1..=found.top.len()).contains(&top),
        "--top: expected 1 to {}, the architectures that the run kept, found {top}",
        found.top.len()
    );
    let shared = args.of_run(run)?;
    let of = |found: FoundArch| {
        let config = TrainingConfig { arch: found.arch.clone(), ..shared.clone() };
        (found, config)
    };
    Ok(found.top.into_iter().take(top).map(of).collect())
}

/// Trains the best of `run`, and names the winner.
pub fn run(args: &Args, runner: &Runner<'_>, run: &RunDir) -> anyhow::Result<ExitCode> {
    let candidates = candidates(args, run)?;
    let parent = match &runner.args.run_dir {
        Some(dir) => dir.clone(),
        None => runner.args.runs_dir.join(format!("{}-trained", run.name())),
    };
    let mut trained = Vec::new();
    for (found, config) in &candidates {
        let path = parent.join(format!("rank-{}", found.rank));
        match one(runner, config.clone(), path) {
            Ok(Some(scores)) => trained.push((found, scores)),
            Ok(None) => return Ok(runner.stopped("stopped; the same command goes on from here")),
            Err(error) if diverged(&error) => {
                runner.terminal.warn(&format!("rank {} is left out: {error:#}", found.rank));
            }
            Err(error) => return Err(error),
        }
    }
    let file = winner(run, &trained)?;
    file.write(&parent.join("winner.json"))?;
    let mut text = table(&trained, &file);
    let best = parent.join(format!("rank-{}", file.winner)).join("best.safetensors");
    text += &format!("\nMore images: {} sample {} --out grid.png\n", program(), best.display());
    crate::terminal::print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// The scores of one candidate, trained now or before; `None` when its training was stopped.
fn one(
    runner: &Runner<'_>,
    config: TrainingConfig,
    path: PathBuf,
) -> anyhow::Result<Option<ScoresFile>> {
    let wanted = config.schedule.g_iterations;
    let finished = |dir: &RunDir| -> anyhow::Result<Option<ScoresFile>> {
        let scores = dir.scores()?.filter(|scores| scores.g_iterations == wanted);
        // A run whose best weights are gone is resumed, which mends it.
        Ok(if best_is_intact(dir)? { scores } else { None })
    };
    let end = match RunDir::open(&path) {
        Ok(dir) => {
            config_of::<Training>(&dir, &[])?.check_continues(&config, &[]).with_context(|| {
                format!("{} was trained differently; name another --run-dir", path.display())
            })?;
            // Damaged scores of a finished run are written anew when it is resumed.
            if let Ok(Some(scores)) = finished(&dir) {
                runner.terminal.note(&format!("{} is trained already", path.display()));
                return Ok(Some(scores));
            }
            runner.resume::<Training>(dir, Some(&config))?
        }
        Err(_) => runner.start::<Training>(config, Some(&path))?,
    };
    match end.outcome {
        Outcome::Stopped => Ok(None),
        Outcome::Finished => {
            let scores = finished(&end.dir)?;
            Ok(Some(scores.context("the run has no scores.json although it is finished")?))
        }
    }
}

/// Whether a training ended because its networks diverged.
fn diverged(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<SearchError>(), Some(SearchError::Diverged { .. }))
}

/// The winner of the candidates, by the rule of [`by_score`].
fn winner(run: &RunDir, trained: &[(&FoundArch, ScoresFile)]) -> anyhow::Result<WinnerFile> {
    let all: Vec<ScoresFile> = trained.iter().map(|(_, scores)| scores.clone()).collect();
    let best = by_score(&all).first().map(|&place| &trained[place]);
    let (found, scores) = best.context("every training diverged, so there is no winner")?;
    let trained = trained.iter().map(|(found, scores)| TrainedArch {
        rank: found.rank,
        arch: found.arch.clone(),
        named: found.named.clone(),
        reward: found.reward,
        best: scores.best,
        last: scores.last,
    });
    Ok(WinnerFile {
        run: run.name(),
        preset: scores.preset.clone(),
        dataset: scores.dataset.clone(),
        seed: scores.seed,
        protocol: scores.protocol.clone(),
        winner: found.rank,
        trained: trained.collect(),
    })
}

fn table(trained: &[(&FoundArch, ScoresFile)], file: &WinnerFile) -> String {
    let head = ["rank", "reward", "is", "frechet", "at", "vector", ""].map(str::to_owned);
    let mut rows = vec![head.to_vec()];
    rows.extend(trained.iter().map(|(found, scores)| {
        let best = &scores.best;
        vec![
            found.rank.to_string(),
            format!("{:.3}", found.reward),
            format!("{:.3}", best.is),
            best.frechet.map_or_else(|| "-".to_owned(), |distance| format!("{distance:.3}")),
            best.g_iteration.to_string(),
            found.arch.to_string(),
            if found.rank == file.winner { "winner".to_owned() } else { String::new() },
        ]
    }));
    let mut align = [Align::Right; 7];
    (align[5], align[6]) = (Align::Left, Align::Left);
    let protocol = file.protocol.frechet.as_ref().map_or(String::new(), |name| format!(", {name}"));
    format!(
        "\nTrained from scratch; scores of the best weights of each, at the iteration named\n\
         ({}{protocol}). The winner has the highest is.\n\n{}",
        file.protocol.is,
        aligned(&rows, &align)
    )
}
