//! [`Tables`] reads the tables of a store; a [`Follower`] reads only the rows that are new since its last look.

use autogan_run::store::Row;
use autogan_run::{
    Event, Image, Record, Result as RunResult, RunDir, Scalar, Session, StoreReader, Trial,
};

use super::RunData;

/// The value, or its error as a problem.
pub(super) fn kept<T>(result: RunResult<T>, problems: &mut Vec<String>) -> Option<T> {
    let problem = |error: autogan_run::Error| {
        let text = error.to_string();
        // What verifying finds is found again by reading.
        if !problems.contains(&text) {
            problems.push(text);
        }
    };
    result.map_err(problem).ok()
}

/// The rows of all tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub trials: Vec<Record<Trial>>,
    pub scalars: Vec<Record<Scalar>>,
    pub images: Vec<Record<Image>>,
    pub events: Vec<Record<Event>>,
    pub sessions: Vec<Record<Session>>,
}

/// A run together with the rows that were read of it so far.
///
/// The store is opened anew at every look and closed after it: a connection that stays open would
/// keep the run's writer from leaving a single file behind when it ends.
#[derive(Debug)]
pub struct Follower {
    run: RunDir,
    tables: Tables,
}

impl Follower {
    /// Of a run of which nothing was read yet.
    pub fn new(run: RunDir) -> Follower {
        Follower { run, tables: Tables::default() }
    }

    /// The run as it is now: the rows that are known, and those after them.
    ///
    /// A resumed run has taken back the rows after its checkpoint; all rows are read again then.
    /// As with [`RunData::read`], what is damaged is left out and said in
    /// [`RunData::problems`].
    pub fn look(&mut self) -> RunData {
        let problems = self.tables.read(&self.run, false);
        RunData::of(&self.run, self.tables.clone(), problems)
    }
}

impl Tables {
    /// Adds the rows that are new, all in one state of the store; gives what is wrong. `verify`: also the store as a
    /// whole.
    pub fn read(&mut self, run: &RunDir, verify: bool) -> Vec<String> {
        let mut problems = Vec::new();
        let reader = kept(run.open_store(), &mut problems);
        let read = reader.and_then(|reader| {
            if verify {
                kept(reader.verify(), &mut problems);
            }
            let read = reader.snapshot(|reader| {
                self.catch_up(reader, &mut problems);
                Ok(())
            });
            kept(read, &mut problems)
        });
        if read.is_none() {
            *self = Tables::default();
        }
        problems
    }

    fn catch_up(&mut self, reader: &StoreReader, problems: &mut Vec<String>) {
        // Every resume adds a session, and may have removed rows that are known here.
        if kept(extend(reader, &mut self.sessions), problems).unwrap_or(true) {
            *self = Tables { sessions: std::mem::take(&mut self.sessions), ..Self::default() };
        }
        kept(extend(reader, &mut self.trials), problems);
        kept(extend(reader, &mut self.scalars), problems);
        kept(extend(reader, &mut self.images), problems);
        kept(extend(reader, &mut self.events), problems);
    }
}

/// Adds the rows after the last one that is known, and says whether there were any. If that one is
/// not there any more, or anything is damaged, nothing is known any longer.
fn extend<R: Row>(reader: &StoreReader, rows: &mut Vec<Record<R>>) -> RunResult<bool> {
    let known = rows.last().map(|last| (last.id, last.row.tick()));
    // From the last known row on, which shows whether it is still there.
    let read = reader.rows_after::<R>(known.map_or(0, |(id, _)| id - 1)).and_then(|new| {
        let there = known.is_none_or(|known| {
            new.first().is_some_and(|first| (first.id, first.row.tick()) == known)
        });
        if there { Ok((known.is_some(), new)) } else { Ok((false, reader.rows_after::<R>(0)?)) }
    });
    let (continues, new) = read.inspect_err(|_| rows.clear())?;
    let before = rows.len();
    if continues {
        rows.extend(new.into_iter().skip(1));
    } else {
        *rows = new;
    }
    Ok(rows.len() != before)
}
