//! A search walks through stages and iterations (sections 3.2 and 3.3): here they begin and end.

use autogan_run::TrialKind;

use crate::config::RankOrder;
use crate::error::Result;
use crate::event::{Reporter, SearchEvent};
use crate::position::Phase;
use crate::search::Search;

impl Search {
    pub(crate) fn begin_iteration(
        &mut self,
        reporter: &mut dyn Reporter<SearchEvent>,
    ) -> Result<()> {
        let (stage, iteration) = (self.position.stage, self.position.iteration);
        let begins = self.stage_iterations(stage);
        if iteration == begins.0 {
            let side = self.networks.generator.side(stage);
            let real = self.score_of_real(self.config.reward.images)?;
            reporter.event(&SearchEvent::Stage { stage, side, iterations: begins, real });
        }
        self.policy.reinforce.begin_iteration();
        if self.config.search.restart_steps {
            // A reset may have ended the last epoch early.
            let batches = self.stage_images.batches();
            self.position.stage_steps = self.position.stage_steps.next_multiple_of(batches);
        }
        self.favourite = None;
        self.children.clear();
        let shared_steps = self.shared_steps();
        let controller_steps = self.config.controller.steps as u64;
        reporter.event(&SearchEvent::Iteration { iteration, shared_steps, controller_steps });
        self.enter(Phase::Shared);
        Ok(())
    }

    pub(crate) fn end_iteration(&mut self, reporter: &mut dyn Reporter<SearchEvent>) -> Result<()> {
        if self.position.step == 0 {
            self.report_policy(reporter)?;
            self.report_samples(reporter)?;
            if self.config.reset.rank == RankOrder::AfterReset {
                self.reset_if_due()?;
            }
        }
        let (stage, next) = (self.position.stage, self.position.iteration + 1);
        if self.config.search.grow_at.get(stage) == Some(&next) {
            self.position.step += 1;
            let m = self.config.search.candidates;
            let Some(scored) = self.rank_next(m, TrialKind::Candidate, reporter)? else {
                return Ok(());
            };
            self.grow(scored, reporter)?;
        }
        reporter.event(&SearchEvent::Images { so_far: self.position.images });
        let ends = next == self.config.search.iterations;
        // The final derivation also comes before a reset, so that it ranks trained weights.
        if !ends {
            self.reset_if_due()?;
        }
        self.position.iteration = next;
        self.enter(if ends { Phase::Derive } else { Phase::Begin });
        Ok(())
    }
}
