//! This module writes TensorBoard's event file: the run's scalars and pictures for `tensorboard --logdir runs`.
//!
//! The file is a copy of what the store holds; its step is the search's global tick. Like the
//! store it is cut back when a run resumes, so that a point is never there twice, and a torn tail
//! is cut off. When it lacks something it is made anew from the store (see [`EventFile::rebuild`]).
//!
//! Formats: TFRecord framing (tensorflow `lib/io/record_writer.h`) around `Event` messages
//! (tensorboard `compat/proto/event.proto` and `summary.proto`).

mod file;
mod messages;
mod record;

pub use file::{Entry, EventFile, ticks};
pub use messages::Content;
