//! Searches that are killed many times end like searches that nobody killed.
//!
//! `AUTOGAN_KILLS=200 cargo test -p autogan-cli --test cli killed` kills more often than the 25 times of every run.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{CommandOutput, autogan, files, tiny_run, tiny_search};
use crate::outcome::{assert_same, outcome};

/// A checkpoint after every unit of work, so that many kills fall into writing one.
const ALWAYS: [&str; 2] = ["--checkpoint-every", "0s"];

/// A reproducible sequence that looks random enough.
struct Random(u64);

impl Random {
    /// A number below `n`.
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n.max(1)
    }
}

/// The moment at which a process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// This long after its start, usually before it has resumed.
    Early(Duration),
    /// This long after the checkpoint of a tick.
    After(u64, Duration),
    /// While it writes a checkpoint after that of a tick.
    Within(u64),
}

/// The tick of the newest checkpoint.
fn newest(run: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(run.join("checkpoints")) else { return 0 };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.filter_map(|name| name.strip_suffix(".safetensors")?.parse().ok()).max().unwrap_or(0)
}

/// Whether a process is writing a checkpoint, or was writing one when it was killed.
fn is_writing(run: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(run) else { return false };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.into_iter().any(|name| name.contains(".safetensors.") && name.ends_with(".tmp"))
}

/// Starts the search, or resumes it.
fn spawn(dir: &Path, run: &Path, plan: &[&str]) -> Child {
    let mut command: Command = if run.join("config.toml").exists() {
        let mut command = crate::common::command(dir);
        command.args(["search", "--resume", "run"]);
        command
    } else {
        tiny_search(dir, &[plan, &["--run-dir", "run"]].concat())
    };
    command.args(ALWAYS).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Kills the process at the moment, and returns whether it was still running.
fn kill_at(mut child: Child, run: &Path, moment: Moment) -> bool {
    let begun = Instant::now();
    let mut reached = None;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(
                status.success(),
                "{:?}",
                CommandOutput::from(child.wait_with_output().unwrap())
            );
            return false;
        }
        let now = match moment {
            Moment::Early(time) => begun.elapsed() >= time,
            Moment::After(tick, time) => {
                if reached.is_none() && newest(run) >= tick {
                    reached = Some(Instant::now());
                }
                reached.is_some_and(|at| at.elapsed() >= time)
            }
            Moment::Within(tick) => newest(run) >= tick && is_writing(run),
        };
        if now {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{moment:?} never comes");
        std::thread::sleep(Duration::from_micros(100));
    }
}

#[test]
fn killed_at_many_random_moments_a_search_ends_as_if_it_never_was() {
    let wanted: u64 =
        std::env::var("AUTOGAN_KILLS").map_or(25, |text| text.parse().expect("AUTOGAN_KILLS"));
    let dir = tempfile::tempdir().unwrap();
    let iterations = format!("search.iterations={}", 4 + wanted / 3);
    let plan = ["--seed", "3", "--set", &iterations];
    let (whole, _) = tiny_run(dir.path(), "whole", &plan);
    let (end, run) = (newest(&whole), dir.path().join("run"));
    let mut random = Random(5);
    let (mut kills, mut within, mut moments) = (0, 0, [0; 3]);
    while kills < wanted {
        let tick = newest(&run);
        // On average the last kill comes shortly before the end.
        let pace = (end - tick) / (wanted - kills);
        let target = (tick + 1 + random.below(2 * pace + 1)).min(end);
        let which = random.below(3) as usize;
        let moment = match which {
            0 => Moment::Early(Duration::from_millis(random.below(400))),
            1 => Moment::After(target, Duration::from_micros(random.below(8_000))),
            _ => Moment::Within(target),
        };
        if kill_at(spawn(dir.path(), &run, &plan), &run, moment) {
            kills += 1;
            moments[which] += 1;
            within += u64::from(is_writing(&run));
        } else if newest(&run) >= end {
            // The search is over: a last kill comes while the process finds that out.
            let early = Moment::Early(Duration::from_millis(random.below(60)));
            kills += u64::from(kill_at(spawn(dir.path(), &run, &plan), &run, early));
        }
    }
    let last = autogan(dir.path(), &["search", "--resume", "run"]);
    assert!(!last.stderr.contains("warning"), "{last:?}");
    last.ok();
    let before: u64 = moments.iter().sum();
    println!("{kills} kills, {before} of them before the end, {within} within a checkpoint write");
    println!("early, after a checkpoint, within one: {moments:?}");
    assert!(within > 0, "no kill fell into writing a checkpoint");
    assert_same(&outcome(&whole), &outcome(&run), &format!("{kills} kills"));
    for file in files(&run).iter().chain(&files(&run.join("checkpoints"))) {
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(!name.starts_with('.'), "{name} was left behind");
    }
}

/// Runs `autogan` in `dir` where no file can grow beyond `blocks` of 512 bytes, as on a device that is full.
fn limited(dir: &Path, blocks: u32, search: &Command) -> CommandOutput {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -f {blocks}; exec \"$0\" \"$@\""));
    shell.arg(search.get_program()).args(search.get_args());
    shell.current_dir(dir).env("HF_HUB_OFFLINE", "1").output().unwrap().into()
}

#[test]
fn a_disk_that_is_full_loses_nothing_and_the_search_goes_on_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, _) = tiny_run(dir.path(), "whole", &["--seed", "4"]);
    let run = dir.path().join("run");
    // At first the run cannot even be created, then the store and then the checkpoints cannot grow.
    let checkpoint = std::fs::metadata(crate::common::last_checkpoint(&whole)).unwrap().len() / 512;
    let mut tick = 0;
    for blocks in [0, 8, 64, 200, checkpoint as u32 - 8, checkpoint as u32 - 1] {
        let mut search = if run.join("config.toml").exists() {
            let mut command = crate::common::command(dir.path());
            command.args(["search", "--resume", "run"]);
            command
        } else {
            tiny_search(dir.path(), &["--seed", "4", "--run-dir", "run"])
        };
        search.args(ALWAYS);
        let error = limited(dir.path(), blocks, &search).fails(1);
        let last = error.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains("intact"), "{blocks}: {error}");
        assert!(error.matches("os error").count() <= 1, "said twice: {error}");
        assert!(newest(&run) >= tick, "{blocks}: a checkpoint was lost");
        tick = newest(&run);
        if tick > 0 {
            autogan(dir.path(), &["trials", "run"]).ok();
        }
    }
    autogan(dir.path(), &["search", "--resume", "run"]).ok();
    assert_same(&outcome(&whole), &outcome(&run), "full disk");
}
