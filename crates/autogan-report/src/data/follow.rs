//! Following a run that is being written: each look reads only the rows that are new.

use autogan_run::store::Row;
use autogan_run::{Result as RunResult, RunDir, StoreReader, Stored};

use super::RunData;
use super::source::{Everything, Source, kept};

/// A run together with the rows that were read of it so far.
///
/// The store is opened anew at every look and closed after it: a connection that stays open would
/// keep the run's writer from leaving a single file behind when it ends.
#[derive(Debug)]
pub struct Follower {
    run: RunDir,
    rows: Everything,
}

impl Follower {
    /// Of a run of which nothing was read yet.
    pub fn new(run: RunDir) -> Follower {
        Follower { run, rows: Everything::default() }
    }

    /// The run as it is now: the rows that are known, and those after them.
    ///
    /// A resumed run has taken back the rows after its checkpoint; all rows are read again then.
    /// As with [`RunData::read`], what is damaged is left out and said in
    /// [`RunData::problems`].
    pub fn look(&mut self) -> RunData {
        let mut problems = Vec::new();
        let source = Source::open(&self.run, &mut problems);
        match &source.reader {
            Some(reader) => {
                let rows = &mut self.rows;
                let read = reader.snapshot(|reader| {
                    rows.catch_up(reader, &mut problems);
                    Ok(())
                });
                if kept(read, &mut problems).is_none() {
                    self.rows = Everything::default();
                }
            }
            None => self.rows = Everything::default(),
        }
        RunData::of(&self.run, self.rows.clone(), problems)
    }
}

impl Everything {
    fn catch_up(&mut self, reader: &StoreReader, problems: &mut Vec<String>) {
        let resumed = match extend(reader, &mut self.sessions) {
            Ok(grown) => grown,
            Err(error) => {
                problems.push(error.to_string());
                true
            }
        };
        if resumed {
            // Every resume adds a session, and may have removed rows that are known here.
            *self = Everything { sessions: std::mem::take(&mut self.sessions), ..Self::default() };
        }
        kept(extend(reader, &mut self.trials), problems);
        kept(extend(reader, &mut self.scalars), problems);
        kept(extend(reader, &mut self.images), problems);
        kept(extend(reader, &mut self.events), problems);
    }
}

/// Adds the rows after the last one that is known, and says whether there were any. If that one is
/// not there any more, or anything is damaged, nothing is known any longer.
fn extend<R: Row>(reader: &StoreReader, rows: &mut Vec<Stored<R>>) -> RunResult<bool> {
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
