//! A stage ends here: the best candidates go on to the next one, with the controller's vectors (section 3.2, MLAS).

use autogan_rl::{Beam, Candidate};

use crate::error::Result;
use crate::event::{Reporter, SearchEvent};
use crate::search::Search;

impl Search {
    /// Keeps the best of the scored candidates, and starts the next stage from them.
    pub(crate) fn grow(
        &mut self,
        scored: Vec<Candidate>,
        reporter: &mut dyn Reporter<SearchEvent>,
    ) -> Result<()> {
        let beam = Beam::top_k(self.to_pick_by(scored)?, self.config.search.top_k)?;
        let stage = self.position.stage;
        let entries = beam.candidates().iter().map(|c| (c.arch.clone(), c.reward.value)).collect();
        reporter.event(&SearchEvent::Beam { stage, entries });
        self.beam = Some(beam);
        self.seen.clear();
        self.rewards.clear();
        let p = &mut self.position;
        (p.stage_steps, p.stage_g_steps, p.stage_d_alone) = (0, 0, 0);
        self.set_stage(stage + 1)?;
        if self.config.reset.clear_on_growth {
            self.windows.clear();
        }
        Ok(())
    }
}
