//! A unit of work of a [`StrategySearch`]: free slots are filled, all trainings go on for some iterations, and those that
//! end are told to the strategy.

use autogan_config::Configuration;
use autogan_run::TrialKind;
use autogan_space::{Arch, MAX_CELLS};
use autogan_strategies::{Observation, Query};
use rand::Rng;

use super::problem::{Measure, measure, score_cost};
use super::search::{Evaluated, StrategyEvent, StrategyPhase, StrategySearch};
use super::slot::{Slot, Task};
use crate::config::ConfigError;
use crate::derive::random_arch;
use crate::error::{Result, SearchError};
use crate::event::{Reporter, Silent};
use crate::job::Job;
use crate::score::minus_log;
use crate::scratch::{Training, TrainingPosition};

impl StrategySearch {
    /// One unit of the strategy's trainings.
    pub(super) fn explore(&mut self, reporter: &mut dyn Reporter<StrategyEvent>) -> Result<()> {
        if self.position.tick == 0 {
            reporter.event(&StrategyEvent::Real { value: self.real() });
        }
        if self.warm.as_ref().is_some_and(|warm| !warm.is_ready()) {
            return self.warm_up(reporter);
        }
        if self.ask(reporter)? {
            // Scores on shared weights are a unit of their own where nothing is trained.
            reporter.event(&StrategyEvent::Advanced { spent: self.spent(), archs: Vec::new() });
            return Ok(());
        }
        if self.slots.iter().all(Option::is_none) {
            if self.trainings() == 0 {
                let (key, found) = ("strategy.budget", self.config.strategy.budget);
                let expected = "enough for one training that the strategy asks for";
                return Err(ConfigError::value(key, expected, found).into());
            }
            if !self.trained().any(|one| one.value.is_some()) {
                let what = "the value of every architecture that was trained";
                let stage = MAX_CELLS - 1;
                return Err(SearchError::Diverged { what, value: f64::NAN, stage, iteration: 0 });
            }
            (self.position.begun, self.position.ended) = (0, 0);
            self.warm = None;
            self.position.phase = StrategyPhase::Derive;
            return Ok(());
        }
        self.go_on(reporter)
    }

    /// One unit of the trainings at the end.
    pub(super) fn derive(&mut self, reporter: &mut dyn Reporter<StrategyEvent>) -> Result<()> {
        if self.state.untrained.is_none() {
            self.state.untrained = Some(self.untrained()?);
            return Ok(());
        }
        let last = 1 + self.config.derive.random as u64;
        for at in 0..self.slots.len() {
            if self.slots[at].is_none() && self.position.begun < last {
                let task = self.final_task(self.position.begun)?;
                self.slots[at] = Some(self.open(task)?);
                self.position.begun += 1;
            }
        }
        if self.position.ended < last {
            return self.go_on(reporter);
        }
        self.position.phase = StrategyPhase::Done;
        reporter.event(&StrategyEvent::Images { so_far: self.position.images });
        if let Some(found) = self.found() {
            reporter.event(&StrategyEvent::Found(Box::new(found)));
        }
        Ok(())
    }

    /// Scores what the strategy asks for on shared weights, and fills free slots with the trainings that it asks for, as long
    /// as both can be paid. True when it scored and nothing is trained, so that there is more to ask.
    fn ask(&mut self, reporter: &mut dyn Reporter<StrategyEvent>) -> Result<bool> {
        let free: Vec<usize> =
            (0..self.slots.len()).filter(|&at| self.slots[at].is_none()).collect();
        if free.is_empty() || self.state.exhausted {
            return Ok(false);
        }
        let queries = self.strategy.ask(free.len())?;
        let waits = free.len() < self.slots.len();
        self.state.exhausted = queries.is_empty() && !waits;
        let (mut free, mut scored) = (free.into_iter(), false);
        for query in queries {
            let arch = self.problem.space.arch(&query.point).ok_or_else(|| not_asked(&query))?;
            let measure = measure(&self.config, query.fidelity).ok_or_else(|| not_asked(&query))?;
            let cost = match measure {
                Measure::Shared => score_cost(&self.config),
                Measure::Training(length) => self.cost(&query, length),
            };
            if self.position.spent + cost > self.problem.affordable() {
                self.state.exhausted = true;
                break;
            }
            self.position.spent += cost;
            match measure {
                Measure::Shared => {
                    self.score_shared(query, &arch, reporter)?;
                    scored = true;
                }
                Measure::Training(length) => {
                    let task = self.task(query, arch, length);
                    let slot = self.open(task)?;
                    let at = free.next().ok_or_else(|| {
                        SearchError::Checkpoint("the strategy asks for more than was free".into())
                    })?;
                    self.slots[at] = Some(slot);
                    self.position.begun += 1;
                }
            }
        }
        Ok(scored && self.slots.iter().all(Option::is_none))
    }

    /// What a training costs that goes to this length, beyond what was paid for it before.
    fn cost(&self, query: &Query, length: u64) -> f64 {
        let before = self.length_before(query).unwrap_or(0);
        (length - before) as f64 + score_cost(&self.config)
    }

    /// The training that a query asks for.
    fn task(&self, query: Query, arch: Arch, length: u64) -> Task {
        Task {
            kind: TrialKind::Trained,
            step: self.position.begun,
            seed: self.seed(&format!("seed.{arch}"), query.repeat as u64),
            cost: self.cost(&query, length),
            seconds: 0.0,
            arch,
            query: Some(query),
            from: TrainingPosition::default(),
            length,
        }
    }

    /// The length to which the training of a query has come before.
    fn length_before(&self, query: &Query) -> Option<u64> {
        let same = |other: &&Observation| {
            let other = &other.query;
            (&other.point, other.repeat) == (&query.point, query.repeat)
                && other.fidelity < query.fidelity
        };
        let lengths = self.trained().filter(same).filter_map(|one| {
            match measure(&self.config, one.query.fidelity) {
                Some(Measure::Training(length)) => Some(length),
                Some(Measure::Shared) | None => None,
            }
        });
        lengths.max()
    }

    /// The `n`-th training at the end: the winner's, then those of random architectures.
    fn final_task(&self, n: u64) -> Result<Task> {
        let (kind, step, arch) = match n.checked_sub(1) {
            None => (TrialKind::Derive, 0, self.winner()?),
            Some(i) => (TrialKind::Random, i, self.random_arch(i)?),
        };
        let length = self.config.strategy.lengths[2];
        let seed = self.seed("seed.result", n);
        let from = TrainingPosition::default();
        Ok(Task { kind, step, arch, query: None, from, length, cost: 0.0, seed, seconds: 0.0 })
    }

    fn winner(&self) -> Result<Arch> {
        let none = || SearchError::Checkpoint("its strategy has no winner".into());
        Ok(self.lead().ok_or_else(none)?.0)
    }

    /// Architecture `i` of those drawn evenly from everything that is allowed.
    fn random_arch(&self, i: u64) -> Result<Arch> {
        random_arch(&self.config.allowed()?, self.streams, i)
    }

    /// A seed for a training: below 2³², so that it is read easily.
    fn seed(&self, stream: &str, index: u64) -> u64 {
        u64::from(self.streams.rng(stream, index).next_u32())
    }

    fn open(&self, task: Task) -> Result<Slot> {
        let before = task
            .query
            .as_ref()
            .and_then(|query| Some(name(&task.arch, query, self.length_before(query)?)));
        let paused = before.map(|name| self.paused.get(&name)).transpose()?;
        let mut slot =
            Slot::open(task, &self.training, paused.as_ref(), self.inputs(), &self.reals)?;
        slot.task.from = slot.position();
        Ok(slot)
    }

    /// The value of the winner's generator before any training.
    fn untrained(&mut self) -> Result<f64> {
        let mut config = self.training.clone();
        (config.arch, config.seed) = (self.winner()?, self.seed("seed.result", 0));
        let mut training = Training::new(config.checked()?, self.inputs())?;
        training.know(&self.reals);
        self.position.images.scored += self.config.reward.images as u64;
        Ok(minus_log(training.score_now(&mut Silent)?))
    }

    /// Lets all trainings go on, and takes what those that end have come to.
    fn go_on(&mut self, reporter: &mut dyn Reporter<StrategyEvent>) -> Result<()> {
        self.advance_slots()?;
        for at in 0..self.slots.len() {
            if let Some(slot) = self.slots[at].take_if(|slot| slot.is_over()) {
                self.end(slot, reporter)?;
            }
        }
        let open: Vec<&Slot> = self.slots.iter().flatten().collect();
        let archs = open.iter().map(|slot| slot.task.arch.clone()).collect();
        let to_come = |slot: &&Slot| {
            let left = slot.task.length - slot.position().g_iterations.min(slot.task.length);
            slot.task.cost.min(left as f64)
        };
        let to_come: f64 = open.iter().map(to_come).sum();
        let spent = match self.position.phase {
            StrategyPhase::Explore => self.spent() - to_come,
            StrategyPhase::Derive | StrategyPhase::Done => self.spent(),
        };
        reporter.event(&StrategyEvent::Advanced { spent, archs });
        Ok(())
    }

    /// Each training has a thread of its own, as far as there are threads: so none waits for another in a small loop.
    fn advance_slots(&mut self) -> Result<()> {
        let threads = if self.device().is_cpu() { rayon::current_num_threads() } else { 1 };
        let mut slots: Vec<&mut Slot> = self.slots.iter_mut().flatten().collect();
        for part in slots.chunks_mut(threads.max(1)) {
            if let [slot] = part {
                slot.advance()?;
                continue;
            }
            let pools = &self.pools;
            let results: Vec<Result<()>> = std::thread::scope(|scope| {
                let mut threads = Vec::new();
                for (slot, pool) in part.iter_mut().zip(pools) {
                    threads.push(scope.spawn(|| pool.install(|| slot.advance())));
                }
                let join = |thread: std::thread::ScopedJoinHandle<'_, Result<()>>| {
                    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                };
                threads.into_iter().map(join).collect()
            });
            results.into_iter().collect::<Result<()>>()?;
        }
        Ok(())
    }

    /// Takes what a training has come to.
    fn end(&mut self, slot: Slot, reporter: &mut dyn Reporter<StrategyEvent>) -> Result<()> {
        let score = slot.score();
        let value = score.and_then(|score| score.frechet).map(minus_log);
        self.count(&slot);
        let Slot { task, training, grid, .. } = slot;
        reporter.event(&StrategyEvent::Evaluated(Evaluated {
            kind: task.kind,
            step: task.step,
            arch: task.arch.clone(),
            repeat: task.query.as_ref().map_or(0, |query| query.repeat),
            length: task.length,
            value,
            is: score.map(|score| score.is),
            seconds: task.seconds,
        }));
        let untrained = self.state.untrained.unwrap_or(f64::NEG_INFINITY);
        match task.query {
            Some(query) => {
                if value.is_some() && query.fidelity + 1 < self.problem.fidelities.len() {
                    self.paused.put(name(&task.arch, &query, task.length), training.save()?)?;
                }
                self.tell(Observation { query, value, cost: task.cost }, reporter)?;
            }
            None if task.kind == TrialKind::Derive => {
                self.state.winner = Some(value.unwrap_or(untrained));
                if value.is_some() {
                    self.winner = Some(training.averaged()?);
                }
                if let Some(mut grid) = grid {
                    "best".clone_into(&mut grid.tag);
                    reporter.event(&StrategyEvent::Samples(grid));
                }
            }
            None => drop(self.state.random.insert(task.step, value.unwrap_or(untrained))),
        }
        Ok(())
    }

    fn count(&mut self, slot: &Slot) {
        let (from, now) = (slot.task.from, slot.position());
        let [real, steps] = [now.images_seen - from.images_seen, now.d_steps - from.d_steps];
        let iterations = now.g_iterations - from.g_iterations;
        let counted = &mut self.position;
        counted.ended += 1;
        counted.d_steps += steps;
        counted.images.real += real;
        counted.images.fake += real + iterations * self.config.train.g_batch as u64;
        counted.images.scored += self.config.reward.images as u64;
    }

    pub(super) fn tell(
        &mut self,
        observation: Observation,
        reporter: &mut dyn Reporter<StrategyEvent>,
    ) -> Result<()> {
        self.strategy.tell(&observation)?;
        self.state.observations.push(observation);
        let lead = self.strategy.best()?;
        let changed = lead.as_ref().map(|b| &b.point) != self.state.lead.as_ref().map(|b| &b.point);
        self.state.lead = lead;
        if let (true, Some((arch, belief))) = (changed, self.lead()) {
            reporter.event(&StrategyEvent::Leads { arch, belief });
        }
        Ok(())
    }
}

/// The error of a query that is none of the problem.
fn not_asked(query: &Query) -> SearchError {
    SearchError::Checkpoint(format!("the strategy asks for {query:?}"))
}

/// The name of a training that is paused at this length.
fn name(arch: &Arch, query: &Query, length: u64) -> String {
    let digits: String = arch.to_string().split_whitespace().collect();
    format!("{digits}-{}-{length}", query.repeat)
}
