//! The tables of a run's store, read one by one; what cannot be read becomes a sentence.

use autogan_run::store::Row;
use autogan_run::{
    Event, Image, Result as RunResult, RunDir, Scalar, Session, StoreReader, Stored, Trial, lock,
};

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

/// Who writes the run now, if anyone does; a lock that cannot be read is nobody's.
pub(super) fn holder(run: &RunDir) -> Option<String> {
    lock::holder(run.path()).ok().flatten()
}

/// The store, if it can be opened.
pub(super) struct Source {
    pub reader: Option<StoreReader>,
}

/// The rows of all tables.
#[derive(Debug, Clone, Default)]
pub(super) struct Everything {
    pub trials: Vec<Stored<Trial>>,
    pub scalars: Vec<Stored<Scalar>>,
    pub images: Vec<Stored<Image>>,
    pub events: Vec<Stored<Event>>,
    pub sessions: Vec<Stored<Session>>,
}

impl Source {
    pub fn open(run: &RunDir, problems: &mut Vec<String>) -> Source {
        Source { reader: kept(StoreReader::open_live(&run.store_path()), problems) }
    }

    /// A table; empty, with a problem, when it is damaged.
    pub fn rows<R: Row>(&self, problems: &mut Vec<String>) -> Vec<Stored<R>> {
        let rows = self.reader.as_ref().map(|reader| reader.rows_after(0));
        rows.and_then(|rows| kept(rows, problems)).unwrap_or_default()
    }

    /// The last scalar, read alone.
    pub fn last_scalar(&self) -> Option<LastScalar> {
        let reader = self.reader.as_ref()?;
        let count = i64::try_from(reader.count::<Scalar>().ok()?).ok()?;
        let last: Vec<Stored<Scalar>> = reader.rows_after(count - 1).ok()?;
        last.last().map(|scalar| LastScalar::of(&scalar.row))
    }

    /// All tables in one state of the store.
    pub fn everything(&self, problems: &mut Vec<String>) -> Everything {
        let Some(reader) = &self.reader else { return Everything::default() };
        let read = reader.snapshot(|_| {
            Ok(Everything {
                trials: self.rows(problems),
                scalars: self.rows(problems),
                images: self.rows(problems),
                events: self.rows(problems),
                sessions: self.rows(problems),
            })
        });
        kept(read, problems).unwrap_or_default()
    }
}

/// When the last scalar was stored.
#[derive(Clone, Copy)]
pub(super) struct LastScalar {
    pub tick: u64,
    /// D steps over the whole run.
    pub step: u64,
    /// The run's wall clock.
    pub seconds: f64,
}

impl LastScalar {
    pub fn of(row: &Scalar) -> LastScalar {
        LastScalar { tick: row.tick, step: row.step, seconds: row.seconds }
    }
}
