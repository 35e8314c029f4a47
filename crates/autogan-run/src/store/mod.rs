//! The store holds trials, scalars, images and events of a run, in `run.sqlite`.
//!
//! One process writes ([`Store`]), any number read while it does ([`StoreReader`]; SQLite in WAL
//! mode). Tables:
//!
//! | table | a row is | columns beside `id` and `tick` |
//! |---|---|---|
//! | `trials` | one architecture, scored | `kind stage iteration step arch named score spread entropy advantage baseline params macs seconds reward` |
//! | `scalars` | one number of a series | `step tag value seconds` |
//! | `images` | one picture file | `path stage iteration tag seconds` |
//! | `events` | something that happened in the search | `kind json seconds` |
//! | `sessions` | something that happened to the run from outside | `kind json seconds` |
//!
//! `id` counts 1, 2, … in each table; `tick` is the search's global tick and never falls. A
//! checkpoint records how many rows each table has (its [`Position`]); resuming from it removes the
//! later ones, from the end of each table. Only `sessions` are kept, and not counted: they tell
//! where a run was interrupted, which the rest must not show.
//! `seconds` is the run's wall clock, all sessions together; no other column depends on time.
//! Beside each table `T` there is `T_crc` with a CRC-32C per row: a bit flipped in a number is
//! damage that is reported, not a result. NaN is stored as NULL. A store of an older version is read
//! as it is, and brought to the newest version when its run resumes.

mod reader;
mod row;
mod rows;
mod schema;
mod verify;
mod writer;

pub use reader::{StoreReader, TrialFilter};
pub use row::{Kind, Record, Row};
pub use rows::{Event, Image, Scalar, Session, Trial, TrialKind};
pub use writer::{Position, Store};
