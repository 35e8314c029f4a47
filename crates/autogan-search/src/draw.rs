//! A search draws its architectures here: from the policy of its controller, or evenly among those that the budget
//! allows (random search with weight sharing, section 4.3.5).

use autogan_rl::{ActionSpace, BudgetRule, Candidate, Draw, RewardValue, Rollout, StartState};
use autogan_space::{Arch, SpaceError};
use rand::RngExt;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::config::{CandidatesFrom, DistinctWithin, Policy, SharedSampling};
use crate::error::Result;
use crate::fair::fair_choice;
use crate::parts::action_space;
use crate::position::Position;
use crate::search::Search;

impl Search {
    /// The decisions of this stage's controller.
    pub(crate) fn actions(&self) -> ActionSpace {
        action_space(&self.config, self.position.stage)
    }

    /// The states from which the controller may start: the beam, or zeros where there is none.
    pub(crate) fn starts(&self) -> Vec<StartState> {
        match &self.beam {
            Some(beam) => beam.candidates().iter().map(|c| c.state.clone()).collect(),
            None => self.controller.zero_starts(1),
        }
    }

    /// The rule that says what may be drawn from each of these places of the beam.
    pub(crate) fn rule(&self, places: &[usize]) -> BudgetRule<'_> {
        BudgetRule {
            space: self.actions(),
            budget: &self.budget,
            prefixes: places.iter().map(|&place| self.prefix_of(place)).collect(),
        }
    }

    /// An architecture to train in a D step, and in the G step behind it where one is due.
    pub(crate) fn draw_shared(&self, g_due: bool) -> Result<Arch> {
        let stream = "arch.shared";
        match self.config.search.shared_sampling {
            SharedSampling::Policy => self.draw_child(stream),
            SharedSampling::Uniform => self.draw_evenly(stream),
            SharedSampling::Fair => self.draw_fairly(g_due),
        }
    }

    /// An architecture to train or to show; the stream is read at this tick.
    pub(crate) fn draw_child(&self, stream: &str) -> Result<Arch> {
        match self.config.controller.policy {
            Policy::Reinforce => {
                let mut rng = self.streams.rng(stream, self.position.tick);
                let (places, rollout) = self.draw_of_policy(1, &mut rng)?;
                Ok(self.decode(&places, &rollout)?.remove(0))
            }
            Policy::Uniform => self.draw_evenly(stream),
        }
    }

    /// An architecture that is as likely as any other that is allowed; the stream is read at this tick.
    fn draw_evenly(&self, stream: &str) -> Result<Arch> {
        let mut rng = self.streams.rng(stream, self.position.tick);
        self.even_nth(rng.random_range(0..self.even_count()))
    }

    /// The next architecture by strict fairness: each choice of each token, and each entry of the beam, comes once before
    /// any of them comes again.
    fn draw_fairly(&self, g_due: bool) -> Result<Arch> {
        let Position { stage, stage_g_steps, stage_d_alone, .. } = self.position;
        let (name, n) = match g_due {
            true => ("arch.fair.g", stage_g_steps),
            false => ("arch.fair.d", stage_d_alone),
        };
        let next = |token: &str, choices: usize| {
            let name = format!("{name}.{stage}.{token}");
            fair_choice(|round| self.streams.rng(&name, round), n, choices)
        };
        let place = self.beam.as_ref().map(|beam| next("beam", beam.candidates().len()));
        let tokens = self.actions().tokens()?;
        let tokens = tokens.iter().enumerate();
        let actions: Vec<usize> =
            tokens.map(|(i, token)| next(&i.to_string(), token.choices())).collect();
        Ok(self.actions().decode(place.and_then(|place| self.prefix_of(place)), &actions)?)
    }

    /// The children of the present controller step; with the rollout that drew them, where there is something to learn.
    pub(crate) fn draw_children(&self) -> Result<(Vec<Arch>, Option<Rollout>)> {
        match self.config.controller.policy {
            Policy::Reinforce => {
                let mut rng = self.streams.rng("arch.controller", self.position.tick);
                let n = self.config.controller.children;
                let (places, rollout) = match self.config.controller.distinct_within {
                    DistinctWithin::None => self.draw_of_policy(n, &mut rng)?,
                    DistinctWithin::Iteration | DistinctWithin::Stage => {
                        self.draw_distinct(n, &mut rng)?
                    }
                };
                Ok((self.decode(&places, &rollout)?, Some(rollout)))
            }
            Policy::Uniform => Ok((self.even_children()?, None)),
        }
    }

    /// `m` architectures to be ranked, yet without a score: the best of the stage's children so far, draws from the policy,
    /// or both.
    ///
    /// Where a model says which, they are those of which it expects the most, of all that the stage allows.
    pub(crate) fn draw_candidates(&self, m: usize) -> Result<Vec<Candidate>> {
        let mut rng = self.streams.rng("arch.candidates", self.position.tick);
        let reward = RewardValue::exact(0.0);
        if self.config.controller.policy == Policy::Uniform {
            // Nothing reads where a controller would go on from here.
            let state = StartState::zeros(self.config.controller.hidden);
            let candidate = |arch| Candidate { arch, reward, state: state.clone() };
            let archs = match self.config.search.candidates_from {
                CandidatesFrom::Model => self.best_of_model(m)?,
                _ => self.best_or_even(m, &mut rng)?,
            };
            return Ok(archs.into_iter().map(candidate).collect());
        }
        let draws = self.draw_to_rank(m, &mut rng)?;
        let all = self.starts();
        let places: Vec<usize> = draws.iter().map(|d| d.start).collect();
        let starts: Vec<_> = places.iter().map(|&p| all[p].clone()).collect();
        let actions: Vec<_> = draws.into_iter().map(|d| d.actions).collect();
        let rule = self.rule(&places);
        let rollout = self.controller.within(&rule).evaluate(&starts, &actions)?;
        let rows = self.decode(&places, &rollout)?.into_iter().zip(rollout.end_states()?);
        Ok(rows.map(|(arch, state)| Candidate { arch, reward, state }).collect())
    }

    /// Beam entries and actions of `m` candidates, fewer where fewer different ones are allowed.
    fn draw_to_rank(&self, m: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Draw>> {
        if self.config.search.candidates_from == CandidatesFrom::Model {
            return self.best_of_model(m)?.iter().map(|arch| self.draw_of(arch)).collect();
        }
        let drawn = if self.config.search.distinct {
            let all = self.starts();
            let places: Vec<usize> = (0..all.len()).collect();
            self.controller.within(&self.rule(&places)).sample_distinct(&all, m, rng)?
        } else {
            let (places, rollout) = self.draw_of_policy(m, rng)?;
            let rows = places.into_iter().zip(rollout.actions);
            rows.map(|(start, actions)| Draw { start, actions }).collect()
        };
        let mut draws = match self.config.search.candidates_from {
            CandidatesFrom::PolicyAndChildren => {
                let best = self.best_seen(m / 2)?;
                best.iter().map(|arch| self.draw_of(arch)).collect::<Result<_>>()?
            }
            CandidatesFrom::Policy | CandidatesFrom::Model => Vec::new(),
        };
        for draw in drawn {
            if draws.len() < m && (!self.config.search.distinct || !draws.contains(&draw)) {
                draws.push(draw);
            }
        }
        Ok(draws)
    }

    /// The draw that gives a child of this stage.
    fn draw_of(&self, arch: &Arch) -> Result<Draw> {
        let actions = self.actions().encode(arch)?;
        let Some(beam) = &self.beam else { return Ok(Draw { start: 0, actions }) };
        let cells = |entry: &Candidate| arch.cells().starts_with(entry.arch.cells());
        let start = beam.candidates().iter().position(cells);
        let start = start.ok_or(SpaceError::Cells { found: arch.cells().len() })?;
        Ok(Draw { start, actions })
    }

    /// `n` draws from the present policy, each from a beam entry that is as likely as any other; the entries come with them.
    fn draw_of_policy(&self, n: usize, rng: &mut ChaCha8Rng) -> Result<(Vec<usize>, Rollout)> {
        let places = self.beam.as_ref().map_or_else(|| vec![0; n], |beam| beam.draw(n, rng));
        let all = self.starts();
        let starts: Vec<_> = places.iter().map(|&p| all[p].clone()).collect();
        let rollout = self.controller.within(&self.rule(&places)).sample(&starts, rng)?;
        Ok((places, rollout))
    }

    /// The architectures of a rollout whose rows began at these places of the beam.
    pub(crate) fn decode(&self, places: &[usize], rollout: &Rollout) -> Result<Vec<Arch>> {
        let actions = self.actions();
        let rows = places.iter().zip(&rollout.actions);
        rows.map(|(&p, row)| Ok(actions.decode(self.prefix_of(p), row)?)).collect()
    }

    /// The cells before those that are decided, of a place in the beam.
    pub(crate) fn prefix_of(&self, place: usize) -> Option<&Arch> {
        self.beam.as_ref().map(|beam| &beam.candidates()[place].arch)
    }

    /// Evenly drawn children of this step. Within an iteration they differ, and come again only after all others; within a
    /// stage those come first that are new, where that is configured.
    fn even_children(&self) -> Result<Vec<Arch>> {
        let (steps, n) = (self.config.controller.steps, self.config.controller.children);
        let mut rng = self.streams.rng("arch.even", self.position.iteration as u64);
        let count = self.even_count();
        let known = match self.config.controller.distinct_within {
            DistinctWithin::None | DistinctWithin::Iteration => 0,
            DistinctWithin::Stage => self.seen.len(),
        };
        // As many more as may turn out to be known.
        let order = index::sample(&mut rng, count, count.min(steps * n + known));
        let first = self.position.step as usize * n;
        if known == 0 {
            let nth = |i: usize| self.even_nth(order.index(i % order.len()));
            return (first..first + n).map(nth).collect();
        }
        let all: Vec<Arch> = order.iter().map(|i| self.even_nth(i)).collect::<Result<_>>()?;
        let is_known = |arch: &Arch| self.seen.iter().any(|(seen, _)| seen == arch);
        let (old, new): (Vec<Arch>, Vec<Arch>) = all.into_iter().partition(is_known);
        let order = [new, old].concat();
        Ok((first..first + n).map(|i| order[i % order.len()].clone()).collect())
    }

    /// The `m` best of the stage's children, the best first.
    fn best_seen(&self, m: usize) -> Result<Vec<Arch>> {
        if self.picks_by_model() && !self.seen.is_empty() {
            return self.most_expected(self.seen.iter().map(|(arch, _)| arch.clone()).collect(), m);
        }
        let mut best: Vec<&(Arch, f64)> = self.seen.iter().collect();
        best.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(best.into_iter().take(m).map(|(arch, _)| arch.clone()).collect())
    }

    /// The `m` architectures of this stage of which a model of its children expects the most.
    fn best_of_model(&self, m: usize) -> Result<Vec<Arch>> {
        let all = (0..self.even_count()).map(|n| self.even_nth(n)).collect::<Result<_>>()?;
        self.most_expected(all, m)
    }

    /// The `m` best of the stage's children; where there are fewer, evenly drawn others follow.
    fn best_or_even(&self, m: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Arch>> {
        let mut archs = self.best_seen(m)?;
        let count = self.even_count();
        for n in index::sample(rng, count, count.min(m)) {
            let arch = self.even_nth(n)?;
            if archs.len() < m && !archs.contains(&arch) {
                archs.push(arch);
            }
        }
        Ok(archs)
    }

    /// How many architectures may be drawn at this stage, each beam entry counted with its own; at least 1.
    fn even_count(&self) -> usize {
        match &self.beam {
            None => self.budget.count(self.position.stage) as usize,
            Some(beam) => beam
                .candidates()
                .iter()
                .map(|entry| self.budget.cells_after(entry.arch.cells()).len())
                .sum(),
        }
    }

    /// The `n`-th of the architectures that [`Self::even_count`] counts.
    fn even_nth(&self, n: usize) -> Result<Arch> {
        let stage = self.position.stage;
        let past_the_end = SpaceError::Cells { found: stage + 1 };
        let Some(beam) = &self.beam else {
            return Ok(self.budget.nth(stage, n as u64).ok_or(past_the_end)?);
        };
        let mut rest = n;
        for entry in beam.candidates() {
            let cells = self.budget.cells_after(entry.arch.cells());
            if let Some(&cell) = cells.get(rest) {
                return Ok(entry.arch.with_cell(cell)?);
            }
            rest -= cells.len();
        }
        Err(past_the_end.into())
    }
}
