//! A search by trainings from scratch is a [`Job`] here: its units of work, its checkpoints, its rows in the run directory.

use std::sync::Arc;

use autogan_config::Configuration;
use autogan_run::{Checkpoint, Result as RunResult, RunDir, RunWriter, Trial, TrialKind};
use autogan_space::{MAX_CELLS, derived_generator_cost};
use candle_core::Device;
use serde::{Deserialize, Serialize};

use super::paused::{self, Paused};
use super::problem::{new_strategy, problem, saved_strategy, training_config};
use super::search::{
    Evaluated, State, StrategyEvent, StrategyPhase, StrategyPosition, StrategySearch,
};
use super::slot::{Slot, Task};
use super::warm::Warm;
use crate::config::SearchConfig;
use crate::error::{Result, SearchError};
use crate::event::Reporter;
use crate::images::StageImages;
use crate::inputs::{Sources, TrainingInputs};
use crate::job::Job;
use crate::scratch::{KnownReals, Training, best_is_intact, score_reals};
use crate::streams::Streams;
use crate::tensors::{broken, check_images};
use crate::unit::{Place, Unit};

/// The beginning of the names of what belongs to a slot.
const SLOT: &str = "slot";
/// The beginning of the names of what belongs to the supernet.
const SUPERNET: &str = "supernet.";
/// Metadata key of the configuration that the winner was trained with.
const WINNER: &str = "winner";
/// Metadata key of everything that is no tensor, JSON.
const STATE: &str = "strategy_search";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SavedState {
    position: StrategyPosition,
    state: State,
    strategy: serde_json::Value,
    /// The tasks of the slots.
    slots: Vec<Option<Task>>,
    /// Training images.
    images: usize,
    /// Their hash.
    images_sha256: String,
}

impl Job for StrategySearch {
    type Config = SearchConfig;
    type Inputs = TrainingInputs;
    type Event = StrategyEvent;
    const CONFIG_KEY: &'static str = "config";

    fn load(config: &SearchConfig, sources: &Sources, device: &Device) -> Result<TrainingInputs> {
        let images = sources.images(&config.data, config.model.bottom << MAX_CELLS)?.into();
        let extractor = sources.classifier(&config.reward.scorer, device)?;
        let known = KnownReals::default();
        Ok(TrainingInputs { images, extractor, known, device: device.clone() })
    }

    fn new(config: SearchConfig, inputs: TrainingInputs) -> Result<Self> {
        let config = config.checked()?;
        // Known before the images are copied, so that no training computes it again.
        inputs.images.content_hash();
        let training = training_config(&config)?;
        training.check_images(inputs.images.len())?;
        let streams = Streams::new(config.seed);
        let problem = problem(&config)?;
        let side = config.model.bottom << MAX_CELLS;
        let images = StageImages::new(&inputs.images, side, config.train.d_batch, config.seed)?;
        let reals = score_reals(&images, &*inputs.extractor, &training.score, config.seed)?;
        let pool = || rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let at_once = config.strategy.at_once;
        let pools = (0..at_once).map(|_| pool()).collect::<Result<_, _>>();
        Ok(Self {
            strategy: new_strategy(&config, &problem, config.seed)?,
            reals: Arc::new(reals),
            pools: pools.map_err(|error| SearchError::Threads(error.to_string()))?,
            slots: (0..at_once).map(|_| None).collect(),
            position: StrategyPosition::default(),
            state: State::default(),
            paused: Paused::default(),
            warm: Warm::new(&config, &inputs)?,
            winner: None,
            training,
            problem,
            streams,
            inputs,
            config,
        })
    }

    fn restore(
        checkpoint: &Checkpoint,
        config: SearchConfig,
        inputs: TrainingInputs,
    ) -> Result<Self> {
        let saved: SavedState = serde_json::from_str(checkpoint.text(STATE)?).map_err(broken)?;
        check_images(saved.images, Some(&saved.images_sha256), &inputs.images)?;
        let mut search = Self::new(config, inputs)?;
        // What no training can change on its way, a search of trainings cannot change either.
        training_config(&Self::config_of(checkpoint)?)?.check_continues(&search.training, &[])?;
        if saved.slots.len() != search.slots.len() {
            let (found, wanted) = (saved.slots.len(), search.slots.len());
            let text = format!("it has {found} trainings at once, the configuration {wanted}");
            return Err(SearchError::Checkpoint(text));
        }
        search.strategy = saved_strategy(&search.config, &search.problem, saved.strategy)?;
        search.position = saved.position;
        search.state = saved.state;
        search.winner = winner_of(checkpoint);
        search.warm = match saved.position.phase {
            StrategyPhase::Explore => {
                let part = part_of(checkpoint, SUPERNET);
                Warm::restore(&part, &search.config, &search.inputs)?
            }
            StrategyPhase::Derive | StrategyPhase::Done => None,
        };
        for (at, task) in saved.slots.into_iter().enumerate() {
            let Some(task) = task else { continue };
            let part = part_of(checkpoint, &prefix(at));
            let (inputs, reals) = (search.inputs(), Arc::clone(&search.reals));
            search.slots[at] =
                Some(Slot::open(task, &search.training, Some(&part), inputs, &reals)?);
        }
        Ok(search)
    }

    fn config(&self) -> &SearchConfig {
        &self.config
    }

    fn run_name(&self) -> (String, u64) {
        (format!("{}-{}", self.config.preset, self.config.strategy.name), self.config.seed)
    }

    fn place(&self) -> Place {
        let p = self.position;
        Place {
            tick: p.tick,
            stage: MAX_CELLS - 1,
            iteration: 0,
            d_steps: p.d_steps,
            done: p.phase == StrategyPhase::Done,
        }
    }

    fn advance(&mut self, reporter: &mut dyn Reporter<StrategyEvent>) -> Result<bool> {
        match self.position.phase {
            StrategyPhase::Explore => self.explore(reporter)?,
            StrategyPhase::Derive => self.derive(reporter)?,
            StrategyPhase::Done => return Ok(false),
        }
        self.position.tick += 1;
        Ok(true)
    }

    fn save(&self) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint::new(self.position.tick);
        for (at, slot) in self.slots.iter().enumerate() {
            let Some(slot) = slot else { continue };
            put_part(&mut checkpoint, &prefix(at), slot.training.save()?);
        }
        if let Some(warm) = &self.warm {
            put_part(&mut checkpoint, SUPERNET, warm.save()?);
        }
        // Under its own names, so that the newest checkpoint can be sampled from.
        if let Some(winner) = &self.winner {
            checkpoint.tensors.extend(winner.tensors.iter().cloned());
            let name = |key: &String| match key == Training::CONFIG_KEY {
                // Under its own name it would say that the whole checkpoint is a training's.
                true => WINNER.to_owned(),
                false => key.clone(),
            };
            let texts = winner.metadata.iter().map(|(key, text)| (name(key), text.clone()));
            checkpoint.metadata.extend(texts);
        }
        let saved = SavedState {
            position: self.position,
            state: self.state.clone(),
            strategy: self.strategy.save()?,
            slots: self.slots.iter().map(|s| s.as_ref().map(|s| s.task.clone())).collect(),
            images: self.inputs.images.len(),
            images_sha256: self.inputs.images.content_hash(),
        };
        let state = serde_json::to_string(&saved).map_err(broken)?;
        checkpoint.metadata.insert(STATE.into(), state);
        checkpoint.metadata.insert(Self::CONFIG_KEY.into(), self.config.to_toml()?);
        Ok(checkpoint)
    }

    fn record(config: &SearchConfig, event: &StrategyEvent, unit: &mut Unit<'_>) -> RunResult<()> {
        match event {
            StrategyEvent::Real { value } => unit.scalar("score/real/stage2", *value),
            StrategyEvent::Advanced { .. } => Ok(()),
            StrategyEvent::Evaluated(evaluated) => {
                unit.milestone();
                if evaluated.kind == TrialKind::Derive && evaluated.value.is_some() {
                    unit.best();
                }
                if evaluated.repeat > 0 {
                    let Evaluated { step, repeat, .. } = evaluated;
                    unit.row("repeat", serde_json::json!({ "step": step, "repeat": repeat }))?;
                }
                trial(config, evaluated, unit)
            }
            StrategyEvent::Leads { arch, belief } => {
                let json =
                    serde_json::json!({ "arch": arch, "mean": belief.mean, "sd": belief.sd });
                unit.row("leads", json)
            }
            StrategyEvent::Samples(grid) => unit.picture(grid),
            StrategyEvent::Images { so_far } => {
                unit.scalar("images/real", so_far.real as f64)?;
                unit.scalar("images/fake", so_far.fake as f64)?;
                unit.scalar("images/scored", so_far.scored as f64)
            }
            StrategyEvent::Found(found) => {
                unit.row("found", serde_json::json!({ "score": found.score }))?;
                found.write(&unit.dir().arch_path())
            }
        }
    }

    fn write_result(&self, dir: &RunDir) -> Result<()> {
        if let Some(found) = self.found() {
            found.write(&dir.arch_path())?;
            paused::remove(dir.path())?;
        }
        Ok(())
    }

    fn write_best(&self, dir: &RunDir) -> Result<()> {
        match &self.winner {
            Some(winner) => Ok(winner.write(&dir.best_path())?),
            None => Ok(()),
        }
    }

    /// Tells the search where trainings that may go on are kept, and writes the winner's weights anew where their file is
    /// gone or damaged.
    fn mend(
        &mut self,
        writer: &mut RunWriter,
        _reporter: &mut dyn Reporter<StrategyEvent>,
    ) -> Result<()> {
        if self.winner.is_some() && !best_is_intact(writer.dir())? {
            self.write_best(writer.dir())?;
        }
        match self.position.phase {
            StrategyPhase::Done => Ok(()),
            _ => self.paused.in_directory(writer.dir().path()),
        }
    }
}

/// The row of a training that has ended.
fn trial(config: &SearchConfig, evaluated: &Evaluated, unit: &mut Unit<'_>) -> RunResult<()> {
    let cost = derived_generator_cost(&evaluated.arch, &config.model.shape());
    let place = unit.place();
    // A training that diverged has no score; its row says so by a reward that is missing.
    unit.trial(&Trial {
        tick: place.tick,
        kind: evaluated.kind,
        stage: evaluated.arch.stage() as u32,
        iteration: u32::try_from(evaluated.length).unwrap_or(u32::MAX),
        step: evaluated.step as u32,
        named: evaluated.arch.named(),
        arch: evaluated.arch.clone(),
        score: evaluated.value.unwrap_or(f64::NAN),
        spread: 0.0,
        entropy: None,
        advantage: None,
        baseline: None,
        reward: evaluated.value,
        params: cost.params,
        macs: cost.macs,
        seconds: evaluated.seconds,
    })
}

/// Puts a checkpoint into another one, under names that begin with `prefix`.
fn put_part(checkpoint: &mut Checkpoint, prefix: &str, part: Checkpoint) {
    for mut tensor in part.tensors {
        tensor.name.insert_str(0, prefix);
        checkpoint.tensors.push(tensor);
    }
    let texts = part.metadata.into_iter();
    checkpoint.metadata.extend(texts.map(|(key, text)| (format!("{prefix}{key}"), text)));
}

/// The winner's generator in a checkpoint, where there is one: the tensors that are of no slot and not of the supernet.
fn winner_of(checkpoint: &Checkpoint) -> Option<Checkpoint> {
    let of_part = |name: &str| name.starts_with(SLOT) || name.starts_with(SUPERNET);
    let mut winner = Checkpoint::new(checkpoint.tick);
    winner.tensors.extend(checkpoint.tensors.iter().filter(|t| !of_part(&t.name)).cloned());
    let own = [STATE, StrategySearch::CONFIG_KEY];
    for (key, text) in &checkpoint.metadata {
        let key = if key == WINNER { Training::CONFIG_KEY } else { key.as_str() };
        if !of_part(key) && !own.contains(&key) {
            winner.metadata.insert(key.to_owned(), text.clone());
        }
    }
    (!winner.tensors.is_empty()).then_some(winner)
}

/// What is before the names of the tensors and texts of a slot's training.
fn prefix(slot: usize) -> String {
    format!("{SLOT}{slot}.")
}

/// What [`put_part`] put into a checkpoint.
fn part_of(checkpoint: &Checkpoint, prefix: &str) -> Checkpoint {
    let mut part = Checkpoint::new(checkpoint.tick);
    for tensor in &checkpoint.tensors {
        if let Some(name) = tensor.name.strip_prefix(prefix) {
            part.tensors.push(autogan_run::TensorData { name: name.into(), ..tensor.clone() });
        }
    }
    for (key, text) in &checkpoint.metadata {
        if let Some(key) = key.strip_prefix(prefix) {
            part.metadata.insert(key.to_owned(), text.clone());
        }
    }
    part
}
