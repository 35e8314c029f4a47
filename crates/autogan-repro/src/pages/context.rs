//! A [`Context`] holds what pages are made from, and writes how every page begins and ends.

use std::collections::BTreeSet;

use autogan_run::{Host, clock};

use super::Page;
use super::text;
use crate::error::Result;
use crate::item::Item;
use crate::job::{Job, Method, Work};
use crate::monitor::Failure;
use crate::plan::{Scope, jobs};
use crate::resolve::blocked;
use crate::results::{Results, SearchResult, TrainingResult};
use crate::scale::{Dataset, Scale};

/// What pages are made from.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// Scale and datasets.
    pub scope: Scope,
    /// The jobs.
    pub results: &'a Results,
    /// What command lines begin with.
    pub program: String,
}

impl Context<'_> {
    /// The seeds.
    pub fn seeds(&self) -> &'static [u64] {
        self.scope.scale.seeds()
    }

    /// The searches of a method, one per seed; `None` where one is not finished.
    pub(super) fn searches(
        &self,
        method: Method,
        dataset: Dataset,
    ) -> Result<Vec<Option<SearchResult>>> {
        let of = |seed: &u64| self.results.search(&Job::search(method, dataset, *seed).name);
        self.seeds().iter().map(of).collect()
    }

    /// The trainings that `job` names, one per seed; `None` where one is not finished.
    pub(super) fn trainings(
        &self,
        job: impl Fn(u64) -> Job,
    ) -> Result<Vec<Option<TrainingResult>>> {
        self.seeds().iter().map(|&seed| self.results.training(&job(seed).name)).collect()
    }

    /// The command that makes a page, as a reader would type it.
    pub fn command(&self, item: Item) -> String {
        let mut command = format!("{} repro {item} --scale {}", self.program, self.scope.scale);
        if self.scope.datasets().contains(&Dataset::Cifar10) {
            command += " --data path/to/cifar10";
        }
        if self.scope.stl10 {
            command += " --stl10 path/to/stl10";
        }
        command
    }

    /// The jobs of an item that failed, and why, where there are any.
    pub(super) fn opening(&self, page: &mut Page, item: Item) -> Result<()> {
        let failures = self.failures(&jobs(&[item], self.scope))?;
        if !failures.is_empty() {
            page.text("**Runs that failed**, and are left out of what follows:");
            let line = |failure: &Failure| format!("`{}`: {}", failure.job, failure.reason);
            page.list(&failures.iter().map(line).collect::<Vec<_>>());
        }
        Ok(())
    }

    /// What stands in the place of a job that is not finished.
    pub(super) fn absent(&self, job: &str) -> Result<&'static str> {
        Ok(if self.results.diverged(job)?.is_some() { "diverged" } else { "not run" })
    }

    fn failures(&self, jobs: &[Job]) -> Result<Vec<Failure>> {
        let mut failures: Vec<Failure> = Vec::new();
        for job in jobs {
            if self.results.is_finished(job)? {
                continue;
            }
            let reason = match self.results.diverged(&job.name)? {
                Some(reason) => Some(reason),
                None => blocked(job, &failures),
            };
            failures.extend(reason.map(|reason| Failure { job: job.name.clone(), reason }));
        }
        Ok(failures)
    }

    /// What differs from the paper, how far the jobs are, the command, the machine.
    pub(super) fn closing(&self, page: &mut Page, item: Item) -> Result<()> {
        if self.scope.scale != Scale::Full {
            page.heading("What differs from the paper");
            page.text(&text::differences(item, self.scope.scale));
        }
        page.heading("How it was made");
        page.text(&format!("```sh\n{}\n```", self.command(item)));
        let jobs = jobs(&[item], self.scope);
        let failed = match self.failures(&jobs)?.len() {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let mut hosts: Vec<Host> = Vec::new();
        for job in &jobs {
            hosts.extend(match job.work {
                Work::Search(_) => self.results.search(&job.name)?.map(|found| found.host),
                Work::Train { .. } => self.results.training(&job.name)?.map(|found| found.host),
            });
        }
        page.text(&format!(
            "{} of {} runs are finished{failed}; seeds {}. Each run directory under `jobs/` holds its \
             configuration, curves and weights.",
            hosts.len(),
            jobs.len(),
            self.seeds().iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
        ));
        let machines: BTreeSet<String> = hosts.iter().map(machine).collect();
        for machine in machines {
            page.text(&format!("Machine: {machine}."));
        }
        Ok(())
    }
}

/// A machine, the program on it, and the day.
pub(super) fn machine(found: &Host) -> String {
    let cores = found.cores.map_or_else(String::new, |cores| format!("{cores} cores, "));
    let commit = found.commit.as_deref().unwrap_or("unknown");
    format!(
        "{} ({cores}{} threads), autogan {} at commit {}, {}",
        found.cpu,
        found.threads,
        found.version,
        commit.get(..12).unwrap_or(commit),
        // The day alone: runs of one day are one line.
        clock::date(found.created_ms).get(..10).unwrap_or_default()
    )
}
