//! [`RunWriter`] is the one writer of a run. It keeps store, checkpoints and event file in step.
//!
//! A checkpoint is written after the rows before it are on the disk, and records how many there
//! are. So after a kill at any moment the newest checkpoint has all its rows, perhaps some more;
//! resuming removes those, and the search makes them again.

use std::io;
use std::time::Instant;

use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::clock::now_ms;
use crate::config::{CONFIG_KIND, checked_config};
use crate::dir::RunDir;
use crate::error::{Error, Result};
use crate::host::Host;
use crate::lock::RunLock;
use crate::samples::{self, Picture};
use crate::sealed;
use crate::store::{Event, Image, Position, Scalar, Session, Store, StoreReader, Trial};
use crate::tensorboard::{Content, Entry, EventFile};
use autogan_files::atomic;

/// Metadata of a checkpoint that holds the store's [`Position`] as JSON.
const POSITION_KEY: &str = "store";

/// Writes one run. Holds its lock.
#[derive(Debug)]
pub struct RunWriter {
    dir: RunDir,
    store: Store,
    events: EventFile,
    checkpoints: Checkpoints,
    opened: Instant,
    // Last: released when everything else is closed.
    _lock: RunLock,
}

/// A run that is continued.
#[derive(Debug)]
pub struct ResumedRun {
    /// Its writer.
    pub writer: RunWriter,
    /// Where to continue; `None` if the run ended before its first checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// Lines to be shown to the user: what was damaged and what was done about it.
    pub warnings: Vec<String>,
}

impl RunWriter {
    /// Begins a run in a directory that was just made.
    ///
    /// # Errors
    /// The file system's or SQLite's error.
    pub fn start(dir: RunDir, lock: RunLock) -> Result<RunWriter> {
        let store = Store::open(&dir.store_path())?;
        let events = EventFile::create(&dir.events_path())?;
        let checkpoints = dir.checkpoints();
        let mut writer =
            RunWriter { dir, store, events, checkpoints, opened: Instant::now(), _lock: lock };
        let config = writer.dir.config()?;
        writer.add_config(&config, 0)?;
        Ok(writer)
    }

    /// Continues a run from its newest intact checkpoint, or from its start if it has none.
    /// `host` is recorded if the run was killed before it had recorded its own.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process writes it, [`Error::NoGoodCheckpoint`],
    /// [`Error::StoreBehind`], [`Error::ConfigChanged`], [`Error::Damaged`]; otherwise the file
    /// system's or SQLite's error.
    pub fn resume(dir: RunDir, host: &Host) -> Result<ResumedRun> {
        let lock = RunLock::acquire(dir.path())?;
        dir.tidy(host)?;
        let mut warnings = mend_host(&dir, host)?;
        let checkpoints = dir.checkpoints();
        let (mut checkpoint, mut position) = (None, Position::START);
        if let Some(mut loaded) = checkpoints.load_newest()? {
            warnings.append(&mut loaded.warnings);
            checkpoints.tidy(loaded.checkpoint.tick)?;
            position = take_position(&mut loaded.checkpoint)?;
            checkpoint = Some(loaded.checkpoint);
        }
        let mut store = match checkpoint {
            Some(_) => Store::open_existing(&dir.store_path())?,
            None => Store::open(&dir.store_path())?,
        };
        let config = checked_config(&dir, &mut store)?;
        store.truncate_to(position)?;
        let events = reopen_events(&dir, &mut store, position, &mut warnings)?;
        let mut writer =
            RunWriter { dir, store, events, checkpoints, opened: Instant::now(), _lock: lock };
        if let Some(config) = config {
            writer.add_config(&config, position.tick)?;
        }
        let json = serde_json::json!({ "warnings": &warnings, "unix_ms": now_ms() });
        writer.session("resume", json.to_string(), position.tick)?;
        Ok(ResumedRun { writer, checkpoint, warnings })
    }

    /// The run's directory.
    pub fn dir(&self) -> &RunDir {
        &self.dir
    }

    /// How long the run has taken, in seconds over all sessions: for the `seconds` of its rows.
    /// What a killed session did after its last row does not count.
    pub fn seconds(&self) -> f64 {
        self.store.seconds_before() + self.opened.elapsed().as_secs_f64()
    }

    /// Commits, and lets read the store.
    ///
    /// # Errors
    /// SQLite's error.
    pub fn read(&mut self) -> Result<&StoreReader> {
        self.store.read()
    }

    /// Adds a trial; returns its number.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a tick below that of an earlier row; SQLite's error.
    pub fn trial(&mut self, trial: &Trial) -> Result<i64> {
        self.store.add(trial)
    }

    /// Adds an event of the search.
    ///
    /// # Errors
    /// As [`RunWriter::trial`].
    pub fn event(&mut self, event: &Event) -> Result<()> {
        self.store.add(event).map(drop)
    }

    /// Adds a number to a series, in the store and for TensorBoard.
    ///
    /// # Errors
    /// As [`RunWriter::trial`]; the file system's error.
    pub fn scalar(&mut self, scalar: &Scalar) -> Result<()> {
        self.store.add(scalar)?;
        self.events.append(scalar.tick, scalar_content(scalar))
    }

    /// Writes a picture under `samples/`, and records it in the store and for TensorBoard. A
    /// picture of the same stage, iteration and tag is replaced.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a picture that cannot be encoded; otherwise as
    /// [`RunWriter::scalar`].
    pub fn picture(
        &mut self,
        picture: &Picture,
        tick: u64,
        (stage, iteration, tag): (u32, u32, &str),
        seconds: f64,
    ) -> Result<()> {
        let png = picture.to_png()?;
        let name = samples::file_name(stage, iteration, tag);
        atomic::write(&self.dir.samples_path().join(&name), &png)?;
        self.store.add(&Image {
            tick,
            path: format!("samples/{name}"),
            stage,
            iteration,
            tag: tag.to_owned(),
            seconds,
        })?;
        self.events.append(tick, Content::Image { tag: &series_name(tag), png: &png })
    }

    /// Records something that happened to the run from outside; `json` is JSON text. Committed
    /// at once, and not removed by resuming.
    ///
    /// # Errors
    /// SQLite's error.
    pub fn session(&mut self, kind: &str, json: String, tick: u64) -> Result<()> {
        let seconds = self.seconds();
        self.store.add(&Session { tick, kind: kind.to_owned(), json, seconds })?;
        self.store.flush()
    }

    /// Makes what was added visible to readers.
    ///
    /// # Errors
    /// SQLite's or the file system's error.
    pub fn flush(&mut self) -> Result<()> {
        self.store.flush()?;
        self.events.flush()
    }

    /// Commits the rows so far, then writes the checkpoint; the last two are kept.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a tick below that of an earlier row or a checkpoint that cannot be
    /// encoded; SQLite's or the file system's error. The checkpoints before are intact then.
    pub fn save(&mut self, mut checkpoint: Checkpoint) -> Result<()> {
        if checkpoint.tick < self.store.last_tick() {
            return Err(Error::invalid(
                "tick of a checkpoint",
                format!("at least {}, the tick of the last row", self.store.last_tick()),
                checkpoint.tick.to_string(),
            ));
        }
        self.flush()?;
        let position = self.store.position(checkpoint.tick);
        let json = serde_json::json!(position).to_string();
        if checkpoint.metadata.insert(POSITION_KEY.to_owned(), json).is_some() {
            return Err(Error::invalid(
                "checkpoint metadata",
                format!("no entry {POSITION_KEY:?}"),
                format!("{POSITION_KEY:?}"),
            ));
        }
        self.checkpoints.save(&checkpoint).map(drop)
    }

    /// Replaces the configuration of a resumed run, after the caller made sure that the changes
    /// are allowed.
    ///
    /// # Errors
    /// SQLite's or the file system's error.
    pub fn replace_config(&mut self, config_toml: &str, tick: u64) -> Result<()> {
        // In this order: killed in between, `resume` completes the change.
        self.add_config(config_toml, tick)?;
        Ok(atomic::write(&self.dir.config_path(), config_toml.as_bytes())?)
    }

    /// Ends the run's writing and leaves a single database file behind.
    ///
    /// # Errors
    /// SQLite's or the file system's error.
    pub fn finish(mut self) -> Result<()> {
        self.flush()?;
        self.store.finish()
    }

    fn add_config(&mut self, config: &str, tick: u64) -> Result<()> {
        self.session(CONFIG_KIND, serde_json::json!(config).to_string(), tick)
    }
}

/// Name of a picture's series in TensorBoard.
fn series_name(tag: &str) -> String {
    format!("samples/{tag}")
}

fn scalar_content(scalar: &Scalar) -> Content<'_> {
    Content::Scalar { tag: &scalar.tag, value: scalar.value as f32 }
}

/// Takes the store's position out of a checkpoint that [`RunWriter::save`] wrote.
fn take_position(checkpoint: &mut Checkpoint) -> Result<Position> {
    let json = checkpoint.text(POSITION_KEY)?;
    let position: Position = serde_json::from_str(json).map_err(|error| {
        Error::invalid("checkpoint", "the store's position in it", error.to_string())
    })?;
    checkpoint.metadata.remove(POSITION_KEY);
    Ok(position)
}

/// Writes a damaged `host.json` anew: only the report shows it.
fn mend_host(dir: &RunDir, host: &Host) -> Result<Vec<String>> {
    match dir.host() {
        Err(error @ Error::Damaged { .. }) => {
            let host = Host { created_ms: dir.created_ms(), ..host.clone() };
            sealed::write(&dir.host_path(), &host)?;
            Ok(vec![format!("{error}; it now describes the machine that resumes")])
        }
        Err(error) => Err(error),
        Ok(_) => Ok(Vec::new()),
    }
}

/// Cuts the event file back to `position`, or makes it anew if it lacks something.
fn reopen_events(
    dir: &RunDir,
    store: &mut Store,
    position: Position,
    warnings: &mut Vec<String>,
) -> Result<EventFile> {
    let path = dir.events_path();
    let expected = position.scalars + position.images;
    match EventFile::resume(&path, expected) {
        Ok((file, kept)) if kept == expected => return Ok(file),
        Ok((_, kept)) => warnings.push(format!(
            "{} holds {kept} of {expected} points; it is made anew from the database",
            path.display()
        )),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
    }
    let start = dir.created_ms() as f64 / 1000.0;
    let reader = store.read()?;
    let scalars = reader.rows_after::<Scalar>(0)?;
    let images = reader.images()?;
    EventFile::rebuild(&path, |put| {
        let mut images = images.iter().map(|stored| &stored.row).peekable();
        for scalar in scalars.iter().map(|stored| &stored.row) {
            while let Some(image) = images.next_if(|image| image.tick < scalar.tick) {
                put_image(dir, image, start, put)?;
            }
            let (wall_time, content) = (start + known(scalar.seconds), scalar_content(scalar));
            put(Entry { wall_time, tick: scalar.tick, content })?;
        }
        images.try_for_each(|image| put_image(dir, image, start, put))
    })
}

fn put_image(
    dir: &RunDir,
    image: &Image,
    start: f64,
    put: &mut dyn FnMut(Entry<'_>) -> io::Result<()>,
) -> io::Result<()> {
    // A picture that is gone keeps its place, so that the count still tells whether all is there.
    let png = std::fs::read(dir.path().join(&image.path)).unwrap_or_default();
    let content = Content::Image { tag: &series_name(&image.tag), png: &png };
    put(Entry { wall_time: start + known(image.seconds), tick: image.tick, content })
}

fn known(seconds: f64) -> f64 {
    if seconds.is_finite() { seconds } else { 0.0 }
}
