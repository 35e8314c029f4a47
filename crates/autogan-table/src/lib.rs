//! A tabular benchmark of AutoGAN's search space: architectures trained from scratch, with their scores.
//!
//! - [`plan`] lists the trainings, in [`Shard`]s.
//! - A [`Row`] holds the scores of one training after so many iterations.
//! - A [`Table`] answers what a training gave, in microseconds.
//! - [`statistics`] says how noisy its scores are and what explains them; [`card`] writes that down.
//! - [`ShardFile`] keeps the rows of a shard while its trainings are carried out; [`gather`] collects those of
//!   all shards. An [`Origin`] beside them says on which images they were trained.

mod card;
mod error;
mod gather;
mod origin;
#[cfg(feature = "parquet")]
mod parquet_file;
mod plan;
mod row;
mod shard_file;
pub mod statistics;
mod table;

pub use card::{Making, card};
pub use error::{Result, TableError};
pub use gather::{Gathered, gather};
pub use origin::{Kept, Origin};
pub use plan::{LENGTHS, Planned, Shard, USUAL_LENGTHS, expected_seconds, plan};
pub use row::{COLUMNS, Row, Scores};
pub use shard_file::ShardFile;
pub use table::Table;
