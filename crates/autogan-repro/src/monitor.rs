//! A [`Monitor`] is told what happens to jobs and in them.

use autogan_search::{Reporter, SearchEvent, TrainingEvent};

use crate::job::Job;

/// Is told of jobs, and of what happens in them.
pub trait Monitor: Reporter<SearchEvent> + Reporter<TrainingEvent> {
    /// Takes notice of a job.
    fn job(&mut self, notice: &Notice<'_>);

    /// Takes notice of what was damaged in a job that goes on, and of why one failed.
    fn warning(&mut self, job: &Job, text: &str);
}

/// Something about a job.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Notice<'a> {
    /// The job.
    pub job: &'a Job,
    /// Its place, from 1, and how many there are.
    pub place: (usize, usize),
    /// What happened.
    pub event: JobEvent,
}

/// What happened to a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEvent {
    /// It is finished already.
    Known,
    /// It begins.
    Begins,
    /// It goes on where it was stopped.
    Resumes,
    /// It is finished.
    Ends,
    /// It was asked to stop.
    Stops,
    /// It failed, now or before: [`Monitor::warning`] says why.
    Fails,
}

/// A job that failed, or cannot begin without one that did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The job.
    pub job: String,
    /// Why.
    pub reason: String,
}
