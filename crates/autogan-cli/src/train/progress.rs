//! How a training looks while it runs: a bar on a terminal, plain lines or JSON elsewhere, and the plain lines in
//! log.txt.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use autogan_run::ModelScore;
use autogan_search::{Event, Reporter, Training, TrainingConfig, TrainingPosition};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::event_json;
use crate::progress::{short, smooth};
use crate::terminal::{Terminal, say};

/// Shows a training on stderr.
pub struct Progress<'a> {
    terminal: &'a Terminal,
    log: &'a mut dyn Write,
    bar: ProgressBar,
    config: TrainingConfig,
    /// Where this process began.
    from: TrainingPosition,
    begun: Instant,
    d_steps: u64,
    images: usize,
    /// Time that scoring took, which is no time of training.
    scoring: Duration,
    d_loss: Option<f64>,
    g_loss: Option<f64>,
    last: Option<ModelScore>,
}

impl<'a> Progress<'a> {
    /// A view of a training.
    pub fn new(terminal: &'a Terminal, training: &Training, log: &'a mut dyn Write) -> Self {
        let (config, from) = (training.config().clone(), training.position());
        let bar = ProgressBar::new(config.schedule.g_iterations);
        if terminal.quiet || terminal.is_json() {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = "{prefix:<6} {bar:28.cyan/dim} {pos:>6}/{len:<6} {msg}";
        // The template is a constant of this file; the plain style serves if it were wrong.
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix("train");
        bar.set_position(from.g_iterations);
        Self {
            terminal,
            log,
            bar,
            config,
            from,
            begun: Instant::now(),
            d_steps: from.d_steps,
            images: 0,
            scoring: Duration::ZERO,
            d_loss: None,
            g_loss: None,
            last: None,
        }
    }

    /// The first lines.
    pub fn intro(&mut self, dir: &Path) {
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
        self.line(&text);
        let (done, all) = (self.from.g_iterations, self.config.schedule.g_iterations);
        if self.from.tick > 0 {
            self.line(&format!("resumed after iteration {done}/{all}"));
        }
    }

    /// Takes the bar away.
    pub fn finish(&mut self) {
        self.bar.finish_and_clear();
    }

    /// A line for the reader and for the log.
    fn line(&mut self, text: &str) {
        // A full disk shows up where results are written; the view goes on.
        let _ = writeln!(self.log, "{text}");
        if self.terminal.quiet || self.terminal.is_json() {
            return;
        }
        if self.bar.is_hidden() {
            say(text);
        } else {
            self.bar.println(text);
        }
    }

    /// The event for a program; of the many D steps a thousand, all of them with `-vv`.
    fn tell(&self, event: &Event) {
        let thinned = match event {
            Event::Shared { step, .. } if self.terminal.verbose < 2 => {
                !step.is_multiple_of((self.config.d_steps() / 1000).max(1))
            }
            _ => false,
        };
        if thinned || self.terminal.quiet {
            return;
        }
        let mut object = event_json::fields(event);
        if let serde_json::Value::Object(map) = &mut object {
            map.insert("g_iteration".into(), self.g_iteration().into());
            map.insert("level".into(), "info".into());
        }
        say(&object.to_string());
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

    fn step(&mut self, step: u64, d_loss: f64, g_loss: Option<f64>, images: usize) {
        self.d_steps = step;
        self.images += images;
        self.d_loss = Some(smooth(self.d_loss, d_loss));
        if let Some(loss) = g_loss {
            self.g_loss = Some(smooth(self.g_loss, loss));
        }
        self.bar.set_position(self.g_iteration());
        let own = step.saturating_sub(self.from.d_steps).max(1);
        let left = self.config.d_steps().saturating_sub(step) as f64 / own as f64;
        let mut text = format!(
            "{:.0} img/s, {} left, loss {}",
            self.rate(),
            short(self.begun.elapsed().mul_f64(left)),
            self.losses()
        );
        if let Some(score) = &self.last {
            text += &format!(", {}", numbers(score));
        }
        self.bar.set_message(text);
    }

    fn losses(&self) -> String {
        format!("D {:.3} G {:+.3}", self.d_loss.unwrap_or(0.0), self.g_loss.unwrap_or(0.0))
    }

    /// A warning, which a quiet terminal shows too.
    fn lost(&mut self, lost: u64, instead: Option<u64>) {
        let text = best_lost(lost, instead);
        let _ = writeln!(self.log, "warning: {text}");
        self.bar.suspend(|| self.terminal.warn(&text));
    }

    fn measured(&mut self, score: &ModelScore, best: bool, seconds: f64) {
        self.last = Some(*score);
        self.scoring += Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let text = format!(
            "iteration {}/{}: {}, {:.0} img/s, {}{}",
            score.g_iteration,
            self.config.schedule.g_iterations,
            self.losses(),
            self.rate(),
            numbers(score),
            if best { ", the best so far" } else { "" }
        );
        self.line(&text);
    }
}

impl Reporter for Progress<'_> {
    fn event(&mut self, event: &Event) {
        match event {
            Event::Shared { step, d_loss, g_loss, images, .. } => {
                self.step(*step, *d_loss, *g_loss, *images);
            }
            Event::Real { score } => {
                let distance = score.frechet.map_or(String::new(), |d| format!(", frechet {d:.2}"));
                self.line(&format!("training images: is {:.3}{distance}", score.is));
            }
            Event::Measured { score, best, seconds } => self.measured(score, *best, *seconds),
            Event::BestLost { lost, instead } => self.lost(*lost, *instead),
            _ => {}
        }
        if self.terminal.is_json() {
            self.tell(event);
        }
    }
}

fn numbers(score: &ModelScore) -> String {
    let distance = score.frechet.map_or(String::new(), |d| format!(", frechet {d:.2}"));
    format!("is {:.3} ± {:.3}{distance}", score.is, score.is_std)
}

/// That the best weights were lost, and what stands in their place.
pub(crate) fn best_lost(lost: u64, instead: Option<u64>) -> String {
    let what = format!("best.safetensors, of iteration {lost}, is gone or damaged");
    match instead {
        Some(same) if same == lost => format!("{what}; it is written anew"),
        Some(other) => format!("{what}; it now holds iteration {other}, and scores.json says so"),
        None => format!("{what}; the next score is the best so far"),
    }
}
