//! [`ReproError`] says what went wrong while experiments were run and pages were made.

use std::path::PathBuf;

/// Result of this crate.
pub type Result<T, E = ReproError> = std::result::Result<T, E>;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReproError {
    /// A job's directory was made with another configuration than this program would use.
    #[error(
        "{} was made with another configuration: {difference}; remove this directory to run the job anew, or name \
         another --out",
        path.display()
    )]
    OtherConfig {
        /// The job's directory.
        path: PathBuf,
        /// The first key that differs, with both values.
        difference: String,
    },
    /// A job needs what another one has not made.
    #[error("the job {job} needs what {wanted} makes, but it holds {found}")]
    Needs {
        /// The job.
        job: String,
        /// The job that it needs.
        wanted: String,
        /// What was found there.
        found: String,
    },
    /// A dataset without its files.
    #[error("{0}")]
    NoData(String),
    /// Images that cannot be loaded.
    #[error("{source} ({option} names the directory of the files of {dataset})")]
    Images {
        /// The dataset.
        dataset: String,
        /// The option of the command line that names its directory.
        option: &'static str,
        /// Why.
        source: autogan_search::SearchError,
    },
    /// A job failed.
    #[error("the job {job} failed: {source}; --no-run writes the pages of what is finished")]
    Job {
        /// The job.
        job: String,
        /// Why.
        source: autogan_search::SearchError,
    },
    /// From a configuration.
    #[error(transparent)]
    Config(#[from] autogan_config::ConfigError),
    /// From a search or a training.
    #[error(transparent)]
    Search(#[from] autogan_search::SearchError),
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] autogan_files::Error),
    /// From a run directory.
    #[error(transparent)]
    Run(#[from] autogan_run::Error),
    /// From the search space.
    #[error(transparent)]
    Space(#[from] autogan_space::SpaceError),
    /// From the table.
    #[error(transparent)]
    Table(#[from] autogan_table::TableError),
    /// The price list of the claim is damaged.
    #[error("the price list of the claim is damaged, which is a fault of this program: {0}")]
    Prices(String),
    /// A claim that cannot be.
    #[error("{what}: expected {expected}, found {found}")]
    Claim {
        /// What is wrong.
        what: &'static str,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// The file of a round of the claim is damaged.
    #[error(
        "{}: expected {expected}, found {found:?}; take the line out or the file away, and its searches are made anew",
        path.display()
    )]
    ClaimFile {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// Threads that the system does not give.
    #[error("cannot start a thread: {0}")]
    Threads(String),
}
