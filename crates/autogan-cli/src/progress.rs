//! How a search looks while it runs: bars on a terminal, plain lines or JSON elsewhere, and the plain lines in log.txt.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use autogan_run::TrialKind;
use autogan_search::{Estimate, Event, Phase, Position, Ran, Reporter, SearchConfig, metric_name};
use autogan_space::Arch;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::event_json;
use crate::terminal::{Terminal, say};

/// Decay of the losses that are shown, so that they can be read.
const SMOOTH: f64 = 0.95;

/// Shows a search on stderr.
pub struct Progress<'a> {
    terminal: &'a Terminal,
    estimate: Estimate,
    position: Position,
    log: &'a mut dyn Write,
    bars: Bars,
    begun: Instant,
    done_at_begin: f64,
    iterations: usize,
    images: usize,
    shared_begun: Instant,
    /// D steps of this iteration that an earlier process did.
    shared_from: u64,
    /// Real images per second of the present iteration's shared training.
    rate: f64,
    d_loss: Option<f64>,
    g_loss: Option<f64>,
    best: Option<(Arch, f64)>,
}

struct Bars {
    all: MultiProgress,
    whole: ProgressBar,
    shared: ProgressBar,
    policy: ProgressBar,
}

impl Bars {
    fn new(hidden: bool) -> Self {
        let all = MultiProgress::new();
        if hidden {
            all.set_draw_target(ProgressDrawTarget::hidden());
        }
        let bar = |template: &str| {
            let bar = all.add(ProgressBar::new(1));
            // The templates are constants of this file; the plain style serves if one were wrong.
            bar.set_style(
                ProgressStyle::with_template(template)
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar
        };
        let whole = bar("{prefix:<11} {bar:28.cyan/dim} {percent:>3} %  {msg}");
        let shared = bar("{prefix:<11} {bar:28.green/dim} {pos:>4}/{len:<4} {msg}");
        let policy = bar("{prefix:<11} {bar:28.magenta/dim} {pos:>4}/{len:<4} {msg}");
        whole.set_length(1000);
        whole.set_prefix("search");
        shared.set_prefix("shared");
        policy.set_prefix("controller");
        Self { all, whole, shared, policy }
    }
}

impl<'a> Progress<'a> {
    /// A view of a search that is at `position`.
    pub fn new(
        terminal: &'a Terminal,
        estimate: Estimate,
        position: Position,
        log: &'a mut dyn Write,
    ) -> Self {
        let done_at_begin = estimate.done(position);
        let iterations = estimate.stages.iter().map(|s| s.iterations as usize).sum();
        Self {
            terminal,
            done_at_begin,
            iterations,
            estimate,
            position,
            log,
            bars: Bars::new(terminal.quiet || terminal.is_json()),
            begun: Instant::now(),
            images: 0,
            shared_begun: Instant::now(),
            shared_from: 0,
            rate: 0.0,
            d_loss: None,
            g_loss: None,
            best: None,
        }
    }

    /// The first lines.
    pub fn intro(&mut self, config: &SearchConfig, dir: &Path) {
        self.line(&format!(
            "search {} (seed {}) on {}, reward {} by {}; run directory {}",
            config.preset,
            config.seed,
            config.data.dataset,
            metric_name(config),
            config.reward.scorer,
            dir.display()
        ));
        let p = self.position;
        if p.tick > 0 {
            self.line(&format!(
                "resumed at stage {}, iteration {}/{}",
                p.stage + 1,
                (p.iteration + 1).min(self.iterations),
                self.iterations
            ));
            self.take_up(config.controller.steps as u64);
        }
    }

    /// Puts the bars where the earlier process left them.
    fn take_up(&mut self, controller_steps: u64) {
        let p = self.position;
        let shared_steps = self.estimate.stages.get(p.stage).map_or(0, |s| s.shared_steps);
        self.bars.shared.set_length(shared_steps);
        self.bars.policy.set_length(controller_steps);
        match p.phase {
            Phase::Shared => {
                self.shared_from = p.step;
                self.bars.shared.set_position(p.step);
            }
            Phase::Controller => {
                self.bars.shared.set_position(shared_steps);
                self.bars.policy.set_position(p.step);
            }
            _ => {}
        }
    }

    /// The last line: what the run directory cost.
    pub fn outro(&mut self, ran: &Ran) {
        let (all, part) = (ran.elapsed.as_secs_f64(), ran.recording.as_secs_f64());
        let share = 100.0 * part / all.max(f64::MIN_POSITIVE);
        self.line(&format!(
            "rows, pictures and checkpoints took {part:.2} s of {all:.1} s ({share:.1} %)"
        ));
    }

    /// Takes the bars away.
    pub fn finish(&mut self) {
        for bar in [&self.bars.whole, &self.bars.shared, &self.bars.policy] {
            bar.finish_and_clear();
        }
        let _ = self.bars.all.clear();
    }

    /// A line for the reader and for the log.
    fn line(&mut self, text: &str) {
        // A full disk shows up where results are written; the view goes on.
        let _ = writeln!(self.log, "{text}");
        // Programs get the events themselves.
        if !self.terminal.is_json() {
            self.show(text);
        }
    }

    /// A line for the reader alone.
    fn show(&self, text: &str) {
        if self.terminal.quiet {
            return;
        }
        if self.bars.whole.is_hidden() {
            say(text);
        } else {
            let _ = self.bars.all.println(text);
        }
    }

    /// What `-v` and `-vv` add.
    fn details(&self, event: &Event) {
        match event {
            Event::Controller { step, report } if self.terminal.verbose >= 1 => {
                self.show(&format!(
                    "  step {step:>2}: reward {:.3}, baseline {:.3}, entropy {:.3}, loss {:+.4}",
                    report.mean_reward, report.baseline, report.mean_entropy, report.loss
                ))
            }
            Event::Scored { kind, arch, score, spread, seconds, .. }
                if self.terminal.verbose >= 2 =>
            {
                self.show(&format!(
                    "  {:<10} {score:.3} ± {spread:.3} in {seconds:.1} s: {}",
                    kind.name(),
                    arch.named()
                ));
            }
            _ => {}
        }
    }

    /// The event for a program; of the many D steps a hundred per iteration, all of them with `-vv`.
    fn tell(&self, event: &Event) {
        let thinned = match event {
            Event::Shared { step, .. } if self.terminal.verbose < 2 => {
                let steps = self.bars.shared.length().unwrap_or(0);
                !step.is_multiple_of((steps / 100).max(1))
            }
            _ => false,
        };
        if !thinned && !self.terminal.quiet {
            say(&event_json::object(event, self.position).to_string());
        }
    }

    fn show_whole(&self) {
        let done = self.estimate.done(self.position);
        self.bars.whole.set_position((1000.0 * done) as u64);
        let here = format!(
            "stage {}/3, iteration {}/{}",
            self.position.stage + 1,
            (self.position.iteration + 1).min(self.iterations),
            self.iterations
        );
        self.bars.whole.set_message(match self.left(done) {
            Some(left) => format!("{here}, about {} left", short(left)),
            None => here,
        });
    }

    /// Time left, from the part of the work that this process has done.
    fn left(&self, done: f64) -> Option<Duration> {
        let own = done - self.done_at_begin;
        let spent = self.begun.elapsed();
        (own > 0.005).then(|| spent.mul_f64(((1.0 - done) / own).max(0.0)))
    }

    fn shared(&mut self, step: u64, d_loss: f64, g_loss: Option<f64>, images: usize) {
        self.position.phase = Phase::Shared;
        self.position.step = step;
        self.images += images;
        self.d_loss = Some(smooth(self.d_loss, d_loss));
        if let Some(loss) = g_loss {
            self.g_loss = Some(smooth(self.g_loss, loss));
        }
        self.bars.shared.set_position(step);
        let elapsed = self.shared_begun.elapsed();
        self.rate = self.images as f64 / elapsed.as_secs_f64().max(1e-3);
        let steps = self.bars.shared.length().unwrap_or(step);
        let own = step.saturating_sub(self.shared_from).max(1);
        let left = elapsed.mul_f64(steps.saturating_sub(step) as f64 / own as f64);
        let losses =
            format!("D {:.3} G {:+.3}", self.d_loss.unwrap_or(0.0), self.g_loss.unwrap_or(0.0));
        self.bars.shared.set_message(format!(
            "{:.0} img/s, {} left, loss {losses}",
            self.rate,
            short(left)
        ));
        self.show_whole();
    }

    fn iteration(&mut self, iteration: usize, shared_steps: u64, controller_steps: u64) {
        self.position.iteration = iteration;
        self.position.phase = Phase::Begin;
        self.images = 0;
        self.shared_begun = Instant::now();
        self.shared_from = 0;
        self.best = None;
        for (bar, steps) in
            [(&self.bars.shared, shared_steps), (&self.bars.policy, controller_steps)]
        {
            bar.set_length(steps);
            bar.set_position(0);
            bar.set_message("");
        }
        self.show_whole();
    }

    /// A step of the controller, or of a random search, which has nothing to report but the reward.
    fn policy(&mut self, step: u64, reward: f64, report: Option<&autogan_rl::StepReport>) {
        self.position.phase = Phase::Controller;
        self.position.step = step;
        self.bars.policy.set_position(step);
        let best = self.best.as_ref().map_or(0.0, |(_, reward)| *reward);
        let learnt =
            report.map(|r| format!(", baseline {:.3}, entropy {:.2}", r.baseline, r.mean_entropy));
        let learnt = learnt.unwrap_or_default();
        self.bars.policy.set_message(format!("reward {reward:.3}, best {best:.3}{learnt}"));
        self.show_whole();
        if step == self.bars.policy.length().unwrap_or(0) {
            self.iteration_line(report.map(|r| r.baseline));
        }
    }

    /// A step of a ranking, or of the comparison at the end.
    fn ranked(&mut self, kind: TrialKind, arch: &Arch, reward: f64) {
        let phase = match kind {
            TrialKind::Controller => return,
            TrialKind::Candidate => Phase::End,
            TrialKind::Derive | TrialKind::Random => Phase::Derive,
        };
        if self.position.phase != phase {
            self.position.phase = phase;
            self.position.step = 0;
            let stage = self.estimate.stages.get(self.position.stage);
            self.bars.policy.set_length(stage.map_or(0, |stage| stage.ranking_steps));
        }
        self.position.step += 1;
        self.bars.policy.set_position(self.position.step);
        let (name, arch) = (kind.name(), arch.named());
        self.bars.policy.set_message(format!("{name}: {reward:.3} {arch}"));
        self.show_whole();
    }

    fn iteration_line(&mut self, baseline: Option<f64>) {
        let rate = self.rate;
        let baseline = baseline.map_or(String::new(), |value| format!("baseline {value:.3}, "));
        let best = match &self.best {
            Some((arch, reward)) => format!("best {reward:.3} {}", arch.named()),
            None => "no child".to_owned(),
        };
        let text = format!(
            "iteration {:>2}/{}: D {:.3} G {:+.3}, {rate:.0} img/s, {baseline}{best}",
            self.position.iteration + 1,
            self.iterations,
            self.d_loss.unwrap_or(0.0),
            self.g_loss.unwrap_or(0.0),
        );
        self.line(&text);
    }
}

impl Reporter for Progress<'_> {
    fn event(&mut self, event: &Event) {
        self.follow(event);
        if self.terminal.is_json() {
            self.tell(event);
        } else {
            self.details(event);
        }
    }
}

impl Progress<'_> {
    /// Brings bars and lines to where the search is.
    fn follow(&mut self, event: &Event) {
        match event {
            Event::Stage { stage, side, iterations, real } => {
                self.position.stage = *stage;
                self.line(&format!(
                    "stage {}/3: images {side}x{side}, iterations {} to {}; real images score {real:.3}",
                    stage + 1,
                    iterations.0 + 1,
                    iterations.1
                ));
            }
            Event::Iteration { iteration, shared_steps, controller_steps } => {
                self.iteration(*iteration, *shared_steps, *controller_steps);
            }
            Event::Shared { step, d_loss, g_loss, images, .. } => self.shared(*step, *d_loss, *g_loss, *images),
            Event::Reset { step, g_spread, d_spread } => self.line(&format!(
                "the losses stand still after step {step} (spread G {g_spread:.1e}, D {d_spread:.1e}): the weights start over after this iteration"
            )),
            Event::Scored { kind, arch, reward, .. } => {
                if *kind == TrialKind::Controller && self.best.as_ref().is_none_or(|(_, best)| reward > best) {
                    self.best = Some((arch.clone(), *reward));
                }
                self.ranked(*kind, arch, *reward);
            }
            Event::Controller { step, report } => self.policy(*step, report.mean_reward, Some(report)),
            Event::Drawn { step, mean_reward } => self.policy(*step, *mean_reward, None),
            Event::Beam { stage, entries } => {
                self.line(&format!("stage {} ends; into the next go:", stage + 1));
                for (arch, reward) in entries {
                    self.line(&format!("  {reward:.3}  {}", arch.named()));
                }
            }
            Event::Found { .. } => self.position.phase = Phase::Done,
            _ => {}
        }
    }
}

/// A moving average that can be read.
pub fn smooth(old: Option<f64>, new: f64) -> f64 {
    old.map_or(new, |old| SMOOTH * old + (1.0 - SMOOTH) * new)
}

/// A duration as `4:07` or `1:02:09`.
pub fn short(d: Duration) -> String {
    let s = d.as_secs();
    if s >= 3600 {
        format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
    } else {
        format!("{}:{:02}", s / 60, s % 60)
    }
}
