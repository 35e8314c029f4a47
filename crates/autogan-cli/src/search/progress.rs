//! [`Progress`] shows a search while it runs: bars on a terminal, plain lines or JSON elsewhere. The plain lines also
//! go to log.txt.

use std::path::Path;
use std::time::{Duration, Instant};

use autogan_run::TrialKind;
use autogan_search::{
    Estimate, Job, Phase, Position, Reporter, RunReport, ScoredArch, Search, SearchConfig,
    SearchEvent, StepLosses, metric_name,
};
use autogan_space::Arch;
use indicatif::ProgressBar;

use crate::event_json;
use crate::run_args::Display;
use crate::screen::{MeanLosses, Screen};
use crate::words::short;

/// Shows a search on stderr.
pub struct Progress<'a> {
    screen: Screen<'a>,
    config: SearchConfig,
    estimate: Estimate,
    position: Position,
    whole: ProgressBar,
    shared: ProgressBar,
    policy: ProgressBar,
    begun: Instant,
    done_at_begin: f64,
    iterations: usize,
    images: usize,
    shared_begun: Instant,
    /// D steps of this iteration that an earlier process did.
    shared_from: u64,
    /// Real images per second of the present iteration's shared training.
    rate: f64,
    losses: MeanLosses,
    best: Option<(Arch, f64)>,
}

impl<'a> Progress<'a> {
    /// A view of a search.
    pub fn new(screen: Screen<'a>, search: &Search) -> Self {
        let (config, position) = (search.config().clone(), search.position());
        let estimate = Estimate::new(&config, search.images());
        let whole = screen.bar("search", "{prefix:<11} {bar:28.cyan/dim} {percent:>3} %  {msg}");
        whole.set_length(1000);
        let steps = "{prefix:<11} {bar:28.green/dim} {pos:>4}/{len:<4} {msg}";
        let shared = screen.bar("shared", steps);
        let policy = screen.bar("controller", &steps.replace("green", "magenta"));
        Self {
            screen,
            done_at_begin: estimate.done(position),
            iterations: config.search.iterations,
            config,
            estimate,
            position,
            whole,
            shared,
            policy,
            begun: Instant::now(),
            images: 0,
            shared_begun: Instant::now(),
            shared_from: 0,
            rate: 0.0,
            losses: MeanLosses::default(),
            best: None,
        }
    }

    /// Puts the bars where the earlier process left them.
    fn take_up(&mut self) {
        let p = self.position;
        let shared_steps = self.estimate.stages.get(p.stage).map_or(0, |s| s.shared_steps);
        self.shared.set_length(shared_steps);
        self.policy.set_length(self.config.controller.steps as u64);
        match p.phase {
            Phase::Shared => {
                self.shared_from = p.step;
                self.shared.set_position(p.step);
            }
            Phase::Controller => {
                self.shared.set_position(shared_steps);
                self.policy.set_position(p.step);
            }
            Phase::Begin | Phase::End | Phase::Derive | Phase::Done => {}
        }
    }

    /// Shows the lines that `-v` and `-vv` add.
    fn details(&self, event: &SearchEvent) {
        let verbose = self.screen.terminal.verbose;
        if verbose >= 1
            && let SearchEvent::Controller { step, report } = event
        {
            self.screen.show(&format!(
                "  step {step:>2}: reward {:.3}, baseline {:.3}, entropy {:.3}, loss {:+.4}",
                report.mean_reward, report.baseline, report.mean_entropy, report.loss
            ));
        }
        if verbose >= 2
            && let SearchEvent::Scored(ScoredArch { kind, arch, score, spread, seconds, .. }) =
                event
        {
            self.screen.show(&format!(
                "  {:<10} {score:.3} ± {spread:.3} in {seconds:.1} s: {}",
                kind.name(),
                arch.named()
            ));
        }
    }

    /// The event for a program; of the many D steps a hundred per iteration, all of them with `-vv`.
    fn tell(&self, event: &SearchEvent) {
        let thinned = |losses| self.screen.is_thinned(losses, 100);
        if !matches!(event, SearchEvent::Step(losses) if thinned(losses)) {
            self.screen.tell(&event_json::of_search(event, self.position));
        }
    }

    fn show_whole(&self) {
        let done = self.estimate.done(self.position);
        self.whole.set_position((1000.0 * done) as u64);
        let here = self.here();
        self.whole.set_message(match self.left(done) {
            Some(left) => format!("{here}, about {} left", short(left)),
            None => here,
        });
    }

    /// The stage and the iteration.
    fn here(&self) -> String {
        let (stage, all) = (self.position.stage + 1, self.iterations);
        format!("stage {stage}/3, iteration {}/{all}", (self.position.iteration + 1).min(all))
    }

    /// Time left, from the part of the work that this process has done.
    fn left(&self, done: f64) -> Option<Duration> {
        let own = done - self.done_at_begin;
        let spent = self.begun.elapsed();
        (own > 0.005).then(|| spent.mul_f64(((1.0 - done) / own).max(0.0)))
    }

    fn shared_step(&mut self, losses: &StepLosses) {
        let StepLosses { step, steps, images, .. } = *losses;
        self.position.phase = Phase::Shared;
        self.position.step = step;
        self.images += images;
        self.losses.add(losses);
        self.shared.set_position(step);
        let elapsed = self.shared_begun.elapsed();
        self.rate = self.images as f64 / elapsed.as_secs_f64().max(1e-3);
        let own = step.saturating_sub(self.shared_from).max(1);
        let left = elapsed.mul_f64(steps.saturating_sub(step) as f64 / own as f64);
        self.shared.set_message(format!(
            "{:.0} img/s, {} left, loss {}",
            self.rate,
            short(left),
            self.losses
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
        for (bar, steps) in [(&self.shared, shared_steps), (&self.policy, controller_steps)] {
            bar.set_length(steps);
            bar.set_position(0);
            bar.set_message("");
        }
        self.show_whole();
    }

    /// A step of the controller, or of a random search, which has nothing to report but the reward.
    fn policy_step(&mut self, step: u64, reward: f64, report: Option<&autogan_rl::StepReport>) {
        self.position.phase = Phase::Controller;
        self.position.step = step;
        self.policy.set_position(step);
        let best = self.best.as_ref().map_or(0.0, |(_, reward)| *reward);
        let learnt =
            report.map(|r| format!(", baseline {:.3}, entropy {:.2}", r.baseline, r.mean_entropy));
        let learnt = learnt.unwrap_or_default();
        self.policy.set_message(format!("reward {reward:.3}, best {best:.3}{learnt}"));
        self.show_whole();
        if step == self.policy.length().unwrap_or(0) {
            self.iteration_line(report.map(|r| r.baseline));
        }
    }

    /// A step of a ranking, or of the comparison at the end.
    fn ranked(&mut self, kind: TrialKind, arch: &Arch, reward: f64) {
        let phase = match kind {
            TrialKind::Controller | TrialKind::Trained | TrialKind::Shared => return,
            TrialKind::Candidate => Phase::End,
            TrialKind::Derive | TrialKind::Random | TrialKind::Drawn => Phase::Derive,
        };
        if self.position.phase != phase {
            self.position.phase = phase;
            self.position.step = 0;
            let stage = self.estimate.stages.get(self.position.stage);
            self.policy.set_length(stage.map_or(0, |stage| stage.ranking_steps));
        }
        self.position.step += 1;
        self.policy.set_position(self.position.step);
        let (name, arch) = (kind.name(), arch.named());
        self.policy.set_message(format!("{name}: {reward:.3} {arch}"));
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
            "iteration {:>2}/{}: {}, {rate:.0} img/s, {baseline}{best}",
            self.position.iteration + 1,
            self.iterations,
            self.losses,
        );
        self.screen.line(&text);
    }
}

impl Reporter<SearchEvent> for Progress<'_> {
    fn event(&mut self, event: &SearchEvent) {
        self.follow(event);
        if self.screen.terminal.is_json() {
            self.tell(event);
        } else {
            self.details(event);
        }
    }
}

impl Display<SearchEvent> for Progress<'_> {
    fn intro(&mut self, dir: &Path) {
        let config = &self.config;
        self.screen.line(&format!(
            "search {} (seed {}) on {}, reward {} by {}; run directory {}",
            config.preset,
            config.seed,
            config.data.dataset,
            metric_name(&config.reward),
            config.reward.scorer,
            dir.display()
        ));
        let p = self.position;
        if p.tick > 0 {
            self.screen.line(&format!("resumed at {}", self.here()));
            self.take_up();
        }
    }

    /// Shows what the run directory cost.
    fn outro(&mut self, report: &RunReport) {
        let (all, part) = (report.elapsed.as_secs_f64(), report.recording.as_secs_f64());
        let share = 100.0 * part / all.max(f64::MIN_POSITIVE);
        self.screen.line(&format!(
            "rows, pictures and checkpoints took {part:.2} s of {all:.1} s ({share:.1} %)"
        ));
    }

    fn finish(&mut self) {
        for bar in [&self.whole, &self.shared, &self.policy] {
            bar.finish_and_clear();
        }
        self.screen.clear();
    }
}

impl Progress<'_> {
    /// Brings bars and lines to where the search is.
    fn follow(&mut self, event: &SearchEvent) {
        match event {
            SearchEvent::Stage { stage, side, iterations, real } => {
                self.position.stage = *stage;
                self.screen.line(&format!(
                    "stage {}/3: images {side}x{side}, iterations {} to {}; real images score {real:.3}",
                    stage + 1,
                    iterations.0 + 1,
                    iterations.1
                ));
            }
            SearchEvent::Iteration { iteration, shared_steps, controller_steps } => {
                self.iteration(*iteration, *shared_steps, *controller_steps);
            }
            SearchEvent::Step(losses) => self.shared_step(losses),
            SearchEvent::Reset { step, g_spread, d_spread } => self.screen.line(&format!(
                "the losses stand still after step {step} (spread G {g_spread:.1e}, D {d_spread:.1e}): the weights start over after this iteration"
            )),
            SearchEvent::Scored(ScoredArch { kind, arch, reward, .. }) => {
                if *kind == TrialKind::Controller && self.best.as_ref().is_none_or(|(_, best)| reward > best) {
                    self.best = Some((arch.clone(), *reward));
                }
                self.ranked(*kind, arch, *reward);
            }
            SearchEvent::Controller { step, report } => self.policy_step(*step, report.mean_reward, Some(report)),
            SearchEvent::Drawn { step, mean_reward } => self.policy_step(*step, *mean_reward, None),
            SearchEvent::Beam { stage, entries } => {
                self.screen.line(&format!("stage {} ends; into the next go:", stage + 1));
                for (arch, reward) in entries {
                    self.screen.line(&format!("  {reward:.3}  {}", arch.named()));
                }
            }
            SearchEvent::Found(_) => self.position.phase = Phase::Done,
            SearchEvent::Images { .. } | SearchEvent::Policy { .. } | SearchEvent::Samples(_) => {}
        }
    }
}
