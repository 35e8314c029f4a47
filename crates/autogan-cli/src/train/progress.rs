//! [`Progress`] shows a training while it runs: a bar on a terminal, plain lines or JSON elsewhere. The plain lines
//! also go to log.txt.

use std::path::Path;
use std::time::{Duration, Instant};

use autogan_run::ModelScore;
use autogan_search::{
    Job, Reporter, StepLosses, Training, TrainingConfig, TrainingEvent, TrainingPosition,
};
use indicatif::ProgressBar;

use crate::event_json;
use crate::run_args::Display;
use crate::screen::{MeanLosses, Screen};
use crate::words::short;

/// Shows a training on stderr.
pub struct Progress<'a> {
    screen: Screen<'a>,
    bar: ProgressBar,
    config: TrainingConfig,
    /// The position at which this process began.
    from: TrainingPosition,
    begun: Instant,
    d_steps: u64,
    images: usize,
    /// Time that scoring took, which is no time of training.
    scoring: Duration,
    losses: MeanLosses,
    last: Option<ModelScore>,
}

impl<'a> Progress<'a> {
    /// A view of a training.
    pub fn new(screen: Screen<'a>, training: &Training) -> Self {
        let (config, from) = (training.config().clone(), training.position());
        let bar = screen.bar("train", "{prefix:<6} {bar:28.cyan/dim} {pos:>6}/{len:<6} {msg}");
        bar.set_length(config.schedule.g_iterations);
        bar.set_position(from.g_iterations);
        Self {
            screen,
            bar,
            config,
            from,
            begun: Instant::now(),
            d_steps: from.d_steps,
            images: 0,
            scoring: Duration::ZERO,
            losses: MeanLosses::default(),
            last: None,
        }
    }

    /// The event for a program; of the many D steps a thousand, all of them with `-vv`.
    fn tell(&self, event: &TrainingEvent) {
        let thinned = |losses| self.screen.is_thinned(losses, 1000);
        if !matches!(event, TrainingEvent::Step(losses) if thinned(losses)) {
            self.screen.tell(&event_json::of_training(event, self.g_iteration()));
        }
    }

    /// G iterations that are complete.
    fn g_iteration(&self) -> u64 {
        self.d_steps / self.config.train.n_critic as u64
    }

    /// Real images per second of training.
    fn rate(&self) -> f64 {
        let spent = self.begun.elapsed().saturating_sub(self.scoring);
        self.images as f64 / spent.as_secs_f64().max(1e-3)
    }

    fn step(&mut self, losses: &StepLosses) {
        let StepLosses { step, steps, images, .. } = *losses;
        self.d_steps = step;
        self.images += images;
        self.losses.add(losses);
        self.bar.set_position(self.g_iteration());
        let own = step.saturating_sub(self.from.d_steps).max(1);
        let left = steps.saturating_sub(step) as f64 / own as f64;
        let mut text = format!(
            "{:.0} img/s, {} left, loss {}",
            self.rate(),
            short(self.begun.elapsed().mul_f64(left)),
            self.losses
        );
        if let Some(score) = &self.last {
            text += &format!(", {}", numbers(score));
        }
        self.bar.set_message(text);
    }

    fn measured(&mut self, score: &ModelScore, best: bool, seconds: f64) {
        self.last = Some(*score);
        self.scoring += Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let text = format!(
            "iteration {}/{}: {}, {:.0} img/s, {}{}",
            score.g_iteration,
            self.config.schedule.g_iterations,
            self.losses,
            self.rate(),
            numbers(score),
            if best { ", the best so far" } else { "" }
        );
        self.screen.line(&text);
    }
}

impl Reporter<TrainingEvent> for Progress<'_> {
    fn event(&mut self, event: &TrainingEvent) {
        match event {
            TrainingEvent::Step(losses) => self.step(losses),
            TrainingEvent::Real { score } => {
                let distance = score.frechet.map_or(String::new(), |d| format!(", frechet {d:.2}"));
                self.screen.line(&format!("training images: is {:.3}{distance}", score.is));
            }
            TrainingEvent::Measured { score, best, seconds } => {
                self.measured(score, *best, *seconds);
            }
            TrainingEvent::BestLost { lost, instead } => {
                self.screen.warn(&best_lost(*lost, *instead));
            }
            TrainingEvent::Samples(_) | TrainingEvent::Trained(_) => {}
        }
        if self.screen.terminal.is_json() {
            self.tell(event);
        }
    }
}

impl Display<TrainingEvent> for Progress<'_> {
    fn intro(&mut self, dir: &Path) {
        let c = &self.config;
        let scores = if c.score.fid { "is and frechet" } else { "is" };
        let text = format!(
            "train {} ({}) by {} (seed {}) on {} at {}x{}, {scores} by {}; run directory {}",
            c.arch.known_name().unwrap_or("an architecture"),
            c.arch,
            c.preset,
            c.seed,
            c.data.dataset,
            c.side(),
            c.side(),
            c.score.scorer,
            dir.display()
        );
        self.screen.line(&text);
        let (done, all) = (self.from.g_iterations, self.config.schedule.g_iterations);
        if self.from.tick > 0 {
            self.screen.line(&format!("resumed after iteration {done}/{all}"));
        }
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
        self.screen.clear();
    }
}

fn numbers(score: &ModelScore) -> String {
    let distance = score.frechet.map_or(String::new(), |d| format!(", frechet {d:.2}"));
    format!("is {:.3} ± {:.3}{distance}", score.is, score.is_std)
}

/// The sentence that the best weights were lost, and what stands in their place.
pub fn best_lost(lost: u64, instead: Option<u64>) -> String {
    let what = format!("best.safetensors, of iteration {lost}, is gone or damaged");
    match instead {
        Some(same) if same == lost => format!("{what}; it is written anew"),
        Some(other) => format!("{what}; it now holds iteration {other}, and scores.json says so"),
        None => format!("{what}; the next score is the best so far"),
    }
}
