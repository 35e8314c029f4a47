//! This crate writes and reads run directories, and keeps them whole through a crash.
//!
//! A run lives in one directory (see [`RunDir`] for the layout):
//!
//! - [`RunWriter`] is the one writer: it holds the [`RunLock`], and keeps store, checkpoints and
//!   event file in step, so that a resumed run continues as if it had never stopped;
//! - [`StoreReader`] and the functions of [`export`] read it, also while the run goes on.
//!
//! Every row and every checkpoint carries the search's global *tick*, a number that never falls.
//! Resuming from a checkpoint removes whatever was written after it.
//!
//! This crate knows neither tensors of a framework nor the configuration's meaning: tensors are
//! bytes with a shape here, the configuration is the text that the run started with.

pub mod arch_file;
pub mod checkpoint;
pub mod clock;
pub mod dir;
pub mod error;
pub mod export;
pub mod host;
pub mod lock;
pub mod log;
pub mod naming;
pub mod samples;
pub mod scores_file;
pub mod sealed;
pub mod store;
pub mod tensorboard;
pub mod winner_file;
pub mod writer;

mod config;
mod names;

/// CRC-32C (Castagnoli): of TFRecord files, and of the store's rows.
const CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI);

pub use arch_file::{ArchFile, Expectation, FoundArch, Protocol, Score};
pub use checkpoint::{Checkpoint, Checkpoints, Dtype, LoadedCheckpoint, TensorData};
pub use dir::RunDir;
pub use error::{Error, Result};
pub use export::Format;
pub use host::Host;
pub use lock::RunLock;
pub use log::LogFile;
pub use samples::Picture;
pub use scores_file::{ModelScore, RealScore, ScoresFile, ScoresProtocol};
pub use store::{
    Event, Image, Position, Record, Scalar, Session, Store, StoreReader, Trial, TrialFilter,
    TrialKind,
};
pub use tensorboard::EventFile;
pub use winner_file::{TrainedArch, WinnerFile, by_score};
pub use writer::{ResumedRun, RunWriter};
