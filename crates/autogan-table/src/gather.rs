//! [`gather`] collects the rows of all shards.

use std::path::Path;

use crate::error::{Result, TableError};
use crate::origin::Origin;
use crate::plan::plan;
use crate::row::Row;
use crate::shard_file::ShardFile;

/// What the shards of a folder hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Gathered {
    /// What the trainings were made on, where the folder says it.
    pub origin: Option<Origin>,
    /// The rows of all trainings that are done, in the order of the plan.
    pub rows: Vec<Row>,
    /// Trainings that are done.
    pub trainings: usize,
    /// Trainings of the plan that are not.
    pub missing: usize,
    /// Shards of which a training is missing.
    pub open_shards: usize,
}

/// The rows of every training of the plan that is done, from the files of the shards in `dir`.
///
/// # Errors
/// When a file cannot be read or is damaged, and when no training is done.
pub fn gather(dir: &Path) -> Result<Gathered> {
    let origin = Origin::read(dir)?;
    let mut all = Gathered { origin, rows: Vec::new(), trainings: 0, missing: 0, open_shards: 0 };
    for shard in plan() {
        let file = ShardFile::open(dir, shard)?;
        all.trainings += file.done();
        all.missing += file.missing().len();
        all.open_shards += usize::from(!file.missing().is_empty());
        all.rows.extend_from_slice(file.rows());
    }
    match all.trainings {
        0 => Err(TableError::NoShards { dir: dir.to_owned() }),
        _ => Ok(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LENGTHS;

    #[test]
    fn shards_are_gathered_as_far_as_they_are_done() {
        let dir = tempfile::tempdir().unwrap();
        let error = gather(dir.path()).unwrap_err().to_string();
        assert!(error.contains("autogan table make"), "{error}");
        let plan = plan();
        let all: usize = plan.iter().map(|shard| shard.trainings.len()).sum();
        let training = plan[1].trainings[0].clone();
        let row = |iterations| Row {
            arch: training.arch.clone(),
            seed: training.seed,
            iterations,
            scores: None,
            params: 1,
            macs: 2,
            seconds: 0.5,
        };
        let last = training.iterations;
        let rows: Vec<Row> = LENGTHS.into_iter().filter(|&at| at <= last).map(row).collect();
        ShardFile::open(dir.path(), plan[1].clone()).unwrap().push(rows.clone()).unwrap();
        let found = gather(dir.path()).unwrap();
        assert_eq!((found.trainings, found.missing), (1, all - 1));
        assert_eq!((found.rows, found.open_shards), (rows, plan.len()));
        assert_eq!(found.origin, None);
        let origin = crate::origin::tests::origin();
        origin.keep(dir.path()).unwrap();
        assert_eq!(gather(dir.path()).unwrap().origin, Some(origin));
        std::fs::write(dir.path().join(format!("{}.csv", plan[2].name)), "no table").unwrap();
        assert!(gather(dir.path()).unwrap_err().to_string().contains(&plan[2].name));
    }
}
