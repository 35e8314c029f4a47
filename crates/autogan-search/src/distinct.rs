//! Children of the controller differ from each other here: what was drawn before is left out of the policy.

use std::collections::BTreeSet;

use autogan_rl::{ExceptRule, RlError, Rollout};
use autogan_space::Arch;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::config::DistinctWithin;
use crate::error::Result;
use crate::search::Search;

/// What a child may not be.
struct LeftOut {
    archs: BTreeSet<Arch>,
    /// The places of the beam where something is left, at least one; place 0 where there is no beam.
    open: Vec<usize>,
}

impl Search {
    /// `n` children of the present policy that differ from each other and from those before, as far as the space allows;
    /// the places of the beam come with them. Places where something is left are equally likely.
    ///
    /// They are drawn one after the other, each from the policy without what was drawn before it. The probabilities in the
    /// rollout are those under which each was drawn.
    pub(crate) fn draw_distinct(
        &self,
        n: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<(Vec<usize>, Rollout)> {
        let all = self.starts();
        let tokens = self.controller.tokens();
        let mut drawn: Vec<Arch> = self.children.iter().map(|(arch, _)| arch.clone()).collect();
        let (mut places, mut actions, mut except) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..n {
            let left_out = self.left_out(&drawn)?;
            let place = left_out.open[rng.random_range(0..left_out.open.len())];
            except.push(self.sequences(&left_out.archs, place)?);
            let rule = self.rule(&[place]);
            let own = except.last().cloned().into_iter().collect();
            let rule = ExceptRule { rule: &rule, tokens, except: own };
            let rollout = self.controller.within(&rule).sample(&all[place..=place], rng)?;
            drawn.extend(self.decode(&[place], &rollout)?);
            actions.extend(rollout.actions);
            places.push(place);
        }
        let starts: Vec<_> = places.iter().map(|&place| all[place].clone()).collect();
        let rule = self.rule(&places);
        let rule = ExceptRule { rule: &rule, tokens, except };
        let rollout = self.controller.within(&rule).evaluate(&starts, &actions)?;
        Ok((places, rollout))
    }

    /// What the next child may not be, when `drawn` are the children of this iteration so far.
    fn left_out(&self, drawn: &[Arch]) -> Result<LeftOut> {
        // When all have come, they come again: a child is left out until the others have come as often.
        let round = drawn.len() - drawn.len() % self.distinct_count();
        let round: BTreeSet<Arch> = drawn[round..].iter().cloned().collect();
        if self.config.controller.distinct_within == DistinctWithin::Stage {
            let seen = self.seen.iter().map(|(arch, _)| arch.clone());
            let archs: BTreeSet<Arch> = round.iter().cloned().chain(seen).collect();
            let open = self.open_places(&archs)?;
            if !open.is_empty() {
                return Ok(LeftOut { archs, open });
            }
        }
        let open = self.open_places(&round)?;
        if open.is_empty() {
            return Err(RlError::Empty("child that was not drawn before").into());
        }
        Ok(LeftOut { archs: round, open })
    }

    /// The places of the beam where an architecture is left.
    fn open_places(&self, archs: &BTreeSet<Arch>) -> Result<Vec<usize>> {
        let mut open = Vec::new();
        for place in 0..self.starts().len() {
            let (rule, except) = (self.rule(&[place]), vec![self.sequences(archs, place)?]);
            let tokens = self.controller.tokens();
            if (ExceptRule { rule: &rule, tokens, except }).leaves(0, &[])? {
                open.push(place);
            }
        }
        Ok(open)
    }

    /// The actions by which those of `archs` are drawn that begin at this place of the beam.
    fn sequences(&self, archs: &BTreeSet<Arch>, place: usize) -> Result<Vec<Vec<usize>>> {
        let actions = self.actions();
        let begins = self.prefix_of(place).map_or(&[][..], Arch::cells);
        let own = archs.iter().filter(|arch| arch.cells().starts_with(begins));
        own.map(|arch| Ok(actions.encode(arch)?)).collect()
    }

    /// How many different children there can be at this stage; at least 1. Two places of the beam with the same cells
    /// count once.
    fn distinct_count(&self) -> usize {
        let Some(beam) = &self.beam else {
            return self.budget.count(self.position.stage).max(1) as usize;
        };
        let begins: BTreeSet<&Arch> = beam.candidates().iter().map(|entry| &entry.arch).collect();
        let after = |arch: &Arch| self.budget.cells_after(arch.cells()).len();
        begins.into_iter().map(after).sum::<usize>().max(1)
    }
}
