//! [`Progress`] shows a search by trainings from scratch while it runs.

use std::path::Path;
use std::time::Instant;

use autogan_run::TrialKind;
use autogan_search::{
    Evaluated, Job, Reporter, SearchConfig, StrategyEvent, StrategyPhase, StrategyPosition,
    StrategySearch, Training,
};
use indicatif::ProgressBar;

use super::summary;
use crate::event_json;
use crate::run_args::{Display, JobCommand, RunEnd};
use crate::screen::Screen;
use crate::words::short;

impl JobCommand for StrategySearch {
    type Other = Training;
    const COMMAND: &'static str = "search";

    fn display<'a>(&self, screen: Screen<'a>) -> Box<dyn Display<StrategyEvent> + 'a> {
        Box::new(Progress::new(screen, self))
    }

    fn summary(end: &RunEnd<Self>) -> anyhow::Result<()> {
        summary::print(&end.dir, &end.config, end.seconds)
    }
}

/// Shows a search by trainings from scratch on stderr.
struct Progress<'a> {
    screen: Screen<'a>,
    config: SearchConfig,
    position: StrategyPosition,
    bar: ProgressBar,
    begun: Instant,
    /// The spent budget when this process began.
    spent_at_begin: f64,
    spent: f64,
    trainings: u64,
    shared_scores: u64,
    lead: String,
}

impl<'a> Progress<'a> {
    fn new(screen: Screen<'a>, search: &StrategySearch) -> Self {
        let (config, position) = (search.config().clone(), search.position());
        let bar = screen.bar("search", "{prefix:<11} {bar:28.cyan/dim} {percent:>3} %  {msg}");
        bar.set_length(1000);
        let lead = search.lead().map_or(String::new(), |(arch, belief)| {
            format!(", leads {:+.3} {}", belief.mean, arch.named())
        });
        let spent = search.spent();
        Self {
            screen,
            config,
            position,
            bar,
            begun: Instant::now(),
            spent_at_begin: spent,
            spent,
            trainings: search.trainings(),
            shared_scores: search.shared_scores(),
            lead,
        }
    }

    fn show(&self) {
        let share = (self.spent / self.config.strategy.budget).min(1.0);
        self.bar.set_position((1000.0 * share) as u64);
        let own = (self.spent - self.spent_at_begin) / self.config.strategy.budget;
        let left = match own > 0.005 {
            true => {
                let left = self.begun.elapsed().mul_f64((1.0 - share) / own);
                format!(", about {} left", short(left))
            }
            false => String::new(),
        };
        let supernet = self.config.strategy.supernet_iterations;
        let done = match (supernet, self.shared_scores, self.trainings) {
            (0, _, trainings) => format!("{trainings} trainings"),
            (_, 0, 0) if self.spent < supernet as f64 => {
                format!("supernet, {:.0} of {supernet} iterations", self.spent)
            }
            (_, shared, trainings) => format!("{shared} shared scores, {trainings} trainings"),
        };
        self.bar.set_message(format!("{done}{left}{}", self.lead));
    }

    fn evaluated(&mut self, one: &Evaluated) {
        if one.kind == TrialKind::Shared {
            self.shared_scores += 1;
            return;
        }
        self.trainings += 1;
        let value = match (one.value, one.is) {
            (Some(value), Some(is)) => format!("−ln F {value:+.3}, IS {is:.3}"),
            _ => "diverged".to_owned(),
        };
        let kind = match one.kind {
            TrialKind::Derive => "the winner anew",
            TrialKind::Random => "random",
            _ => "training",
        };
        self.screen.line(&format!(
            "{kind:<15} {:>4}: {value} after {} iterations, {}",
            one.step + 1,
            one.length,
            one.arch.named()
        ));
    }
}

impl Reporter<StrategyEvent> for Progress<'_> {
    fn event(&mut self, event: &StrategyEvent) {
        match event {
            StrategyEvent::Real { value } => {
                self.screen.line(&format!("real images score −ln F {value:+.3}"));
            }
            StrategyEvent::Advanced { spent, .. } => {
                self.spent = *spent;
                self.show();
            }
            StrategyEvent::Evaluated(one) => self.evaluated(one),
            StrategyEvent::Leads { arch, belief } => {
                self.lead = format!(", leads {:+.3} {}", belief.mean, arch.named());
                self.show();
            }
            StrategyEvent::Found(_) => self.position.phase = StrategyPhase::Done,
            StrategyEvent::Samples(_) | StrategyEvent::Images { .. } => {}
        }
        if self.screen.terminal.is_json() && !matches!(event, StrategyEvent::Advanced { .. }) {
            self.screen.tell(&event_json::of_strategy(event));
        }
    }
}

impl Display<StrategyEvent> for Progress<'_> {
    fn intro(&mut self, dir: &Path) {
        let c = &self.config;
        self.screen.line(&format!(
            "search {} by the strategy {} (seed {}) on {}: trainings of {:?} iterations, a budget of {} iterations, scored by {}; run directory {}",
            c.preset,
            c.strategy.name,
            c.seed,
            c.data.dataset,
            c.strategy.lengths,
            c.strategy.budget,
            c.reward.scorer,
            dir.display()
        ));
        if self.position.tick > 0 {
            let shared = match self.shared_scores {
                0 => String::new(),
                n => format!("{n} shared scores and "),
            };
            self.screen.line(&format!("resumed after {shared}{} trainings", self.trainings));
        }
    }

    fn finish(&mut self) {
        self.bar.finish_and_clear();
        self.screen.clear();
    }
}
