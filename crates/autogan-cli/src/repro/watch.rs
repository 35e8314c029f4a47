//! A [`Watch`] shows experiments while they run: a bar over all of them, and a line for each that ends.

use std::time::{Duration, Instant};

use autogan_repro::{Job, JobEvent, Monitor, Notice};
use autogan_search::{Reporter, SearchEvent, StepLosses, TrainingEvent};
use indicatif::ProgressBar;

use crate::terminal::{Terminal, bar, say};
use crate::train::best_lost;
use crate::words::time;

/// Shows experiments on stderr.
pub struct Watch<'a> {
    terminal: &'a Terminal,
    bar: ProgressBar,
    /// The time that each job is expected to take.
    times: Vec<Duration>,
    /// The time that the jobs which ran here were expected to take, and the time that they took.
    expected: Duration,
    taken: Duration,
    begun: Instant,
    /// The present job, with its place.
    name: String,
    place: (usize, usize),
    iteration: Option<usize>,
}

impl<'a> Watch<'a> {
    /// A view of jobs that are expected to take `times`.
    pub fn new(terminal: &'a Terminal, times: Vec<Duration>) -> Self {
        let (length, hidden) =
            (times.iter().sum::<Duration>().as_millis(), terminal.quiet || terminal.is_json());
        let bar = bar(length as usize, "{bar:28.cyan/dim} {percent:>3} %  {msg}", hidden);
        Self {
            terminal,
            bar,
            times,
            expected: Duration::ZERO,
            taken: Duration::ZERO,
            begun: Instant::now(),
            name: String::new(),
            place: (0, 0),
            iteration: None,
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, text: &str) {
        if self.terminal.is_json() {
            self.terminal.note(text);
        } else if !self.terminal.quiet {
            self.bar.suspend(|| say(text));
        }
    }

    fn show(&self, what: &str) {
        let left = self
            .left()
            .map_or(String::new(), |left| format!(", about {} left", time(left.as_secs_f64())));
        let (place, of) = self.place;
        self.bar.set_message(format!("{place}/{of} {}{what}{left}", self.name));
    }

    /// The time left; the estimates are corrected by the error of those for the jobs that ran.
    fn left(&self) -> Option<Duration> {
        let rest: Duration = self.times.iter().skip(self.place.0.saturating_sub(1)).sum();
        let factor = self.taken.as_secs_f64() / self.expected.as_secs_f64();
        let left = rest.as_secs_f64() * factor - self.begun.elapsed().as_secs_f64();
        factor.is_finite().then(|| Duration::try_from_secs_f64(left.max(0.0)).ok())?
    }
}

impl Monitor for Watch<'_> {
    fn job(&mut self, notice: &Notice<'_>) {
        let (place, of) = notice.place;
        let time_of = self.times.get(place - 1).copied().unwrap_or_default();
        (self.name, self.place) = (notice.job.name.clone(), notice.place);
        let name = &notice.job.name;
        match notice.event {
            JobEvent::Known => self.bar.inc(time_of.as_millis() as u64),
            JobEvent::Begins | JobEvent::Resumes => {
                (self.begun, self.iteration) = (Instant::now(), None);
                self.show("");
            }
            JobEvent::Ends => {
                let took = self.begun.elapsed();
                self.expected += time_of;
                self.taken += took;
                self.bar.inc(time_of.as_millis() as u64);
                self.line(&format!("{place}/{of} {name}: {:.1} s", took.as_secs_f64()));
            }
            JobEvent::Fails => self.bar.inc(time_of.as_millis() as u64),
            JobEvent::Stops => self.line(&format!("{place}/{of} {name}: stopped")),
        }
    }

    fn warning(&mut self, job: &Job, text: &str) {
        self.bar.suspend(|| self.terminal.warn(&format!("{}: {text}", job.name)));
    }
}

impl Watch<'_> {
    /// Shows one step in ten.
    fn step(&mut self, losses: &StepLosses) {
        if losses.step.is_multiple_of(10) {
            let iteration =
                self.iteration.map_or(String::new(), |i| format!(", iteration {}", i + 1));
            self.show(&format!("{iteration}, step {}/{}", losses.step, losses.steps));
        }
    }
}

impl Reporter<SearchEvent> for Watch<'_> {
    fn event(&mut self, event: &SearchEvent) {
        if let SearchEvent::Iteration { iteration, .. } = event {
            self.iteration = Some(*iteration);
            self.show(&format!(", iteration {}", iteration + 1));
        }
        if let SearchEvent::Step(losses) = event {
            self.step(losses);
        }
    }
}

impl Reporter<TrainingEvent> for Watch<'_> {
    fn event(&mut self, event: &TrainingEvent) {
        if let TrainingEvent::Step(losses) = event {
            self.step(losses);
        }
        if let TrainingEvent::BestLost { lost, instead } = event {
            self.bar.suspend(|| {
                self.terminal.warn(&format!("{}: {}", self.name, best_lost(*lost, *instead)));
            });
        }
    }
}
