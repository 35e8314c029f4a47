//! A [`Table`] answers what training an architecture gave.

use std::collections::HashMap;
use std::ops::Range;

use autogan_space::Arch;

use crate::origin::Origin;
use crate::row::{Row, Scores};
#[cfg(feature = "parquet")]
use crate::{error::Result, parquet_file};

/// All rows, found by architecture.
///
/// ```
/// use autogan_table::{Row, Table};
///
/// let rows = ["0 1 2 1,1,0,75,2.5,12.25,800,9000,0.5,false", "0 1 2 1,1,0,150,2.75,9.5,800,9000,1.0,false"];
/// let rows = rows.map(|line| Row::from_csv(line).unwrap());
/// let table = Table::new(rows.to_vec());
/// let arch = "0 1 2 1".parse().unwrap();
/// assert_eq!(table.scores(&arch, 0, 150).unwrap().frechet, 9.5);
/// assert_eq!(table.seeds(&arch), [0]);
/// assert!(table.scores(&arch, 1, 150).is_none());
/// let lengths: Vec<u64> = table.rows_of(&arch).iter().map(|row| row.iterations).collect();
/// assert_eq!(lengths, [75, 150]);
/// ```
#[derive(Debug)]
pub struct Table {
    rows: Vec<Row>,
    origin: Option<Origin>,
    places: HashMap<Arch, Range<usize>>,
}

impl Table {
    /// The table of these rows, in any order.
    pub fn new(mut rows: Vec<Row>) -> Self {
        // By the released vector: numbers of one digit, so texts are ordered as they are.
        rows.sort_by_cached_key(|row| {
            (row.arch.cells().len(), row.arch.to_released(), row.seed, row.iterations)
        });
        let mut places = HashMap::new();
        let mut start = 0;
        for same in rows.chunk_by(|a, b| a.arch == b.arch) {
            let end = start + same.len();
            if let Some(row) = same.first() {
                places.insert(row.arch.clone(), start..end);
            }
            start = end;
        }
        Self { rows, origin: None, places }
    }

    /// This table, with what its trainings were made on.
    pub fn with_origin(self, origin: Option<Origin>) -> Self {
        Self { origin, ..self }
    }

    /// What the trainings were made on, where that is known.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// The table in a parquet file. This needs the feature `parquet`.
    ///
    /// # Errors
    /// When the file cannot be read, or does not hold the columns of the table.
    #[cfg(feature = "parquet")]
    pub fn open(path: &std::path::Path) -> Result<Self> {
        let (rows, origin) = parquet_file::read(path)?;
        Ok(Self::new(rows).with_origin(origin))
    }

    /// Writes the table as a parquet file. The same rows give the same bytes. This needs the feature `parquet`.
    ///
    /// # Errors
    /// When the file cannot be written.
    #[cfg(feature = "parquet")]
    pub fn write(&self, path: &std::path::Path) -> Result<()> {
        parquet_file::write(path, &self.rows, self.origin())
    }

    /// All rows, ordered by cells, architecture, seed and iterations.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The architectures of so many cells, ordered as their released vectors.
    pub fn archs(&self, cells: usize) -> impl Iterator<Item = &Arch> {
        let first = self.rows.chunk_by(|a, b| a.arch == b.arch).filter_map(<[Row]>::first);
        first.map(|row| &row.arch).filter(move |arch| arch.cells().len() == cells)
    }

    /// The rows of an architecture, ordered by seed and iterations; none of one that is not in the table.
    pub fn rows_of(&self, arch: &Arch) -> &[Row] {
        self.places.get(arch).map_or(&[], |place| &self.rows[place.clone()])
    }

    /// The seeds with which an architecture was trained, ascending.
    pub fn seeds(&self, arch: &Arch) -> Vec<u64> {
        let mut seeds: Vec<u64> = self.rows_of(arch).iter().map(|row| row.seed).collect();
        seeds.dedup();
        seeds
    }

    /// The row of an architecture, a seed and a length; `None` when the table has none.
    pub fn row(&self, arch: &Arch, seed: u64, iterations: u64) -> Option<&Row> {
        self.rows_of(arch).iter().find(|row| (row.seed, row.iterations) == (seed, iterations))
    }

    /// The scores of an architecture with a seed after so many iterations; `None` when the table has none, and when the
    /// training had diverged.
    pub fn scores(&self, arch: &Arch, seed: u64, iterations: u64) -> Option<Scores> {
        self.row(arch, seed, iterations)?.scores
    }
}
