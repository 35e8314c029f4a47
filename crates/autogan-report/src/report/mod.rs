//! The report is one HTML file with everything in it that a run directory tells.
//!
//! Nothing is fetched and nothing runs: drawings are inline SVG, pictures are data URIs, the page
//! forbids the rest by its own policy. Unless the run is being written, the page is a function of
//! the run directory and of how the program was called.

mod architecture;
mod believed;
mod choices;
mod contrasts;
mod curves;
mod details;
mod expected;
mod format;
mod overview;
mod page;
mod policy;
mod samples;
mod scores;
mod training;
mod trainings;

pub(crate) use samples::LARGEST_PICTURE;

use std::path::{Path, PathBuf};

use autogan_files::atomic;
use autogan_run::RunDir;

use crate::data::RunData;
use crate::error::Result;

/// A report that was written.
#[derive(Debug)]
pub struct WrittenReport {
    /// The file.
    pub path: PathBuf,
    /// What the page could not show, each in a sentence.
    pub problems: Vec<String>,
}

/// Writes the report of a run to `out`, or to `report.html` in its directory.
///
/// # Errors
/// When the file cannot be written. What cannot be read is left out of the page, which says so.
pub fn write_report(run: &RunDir, out: Option<&Path>) -> Result<WrittenReport> {
    let path = out.map_or_else(|| run.report_path(), Path::to_owned);
    let (html, problems) = report_html(run);
    atomic::write(&path, html.as_bytes())?;
    Ok(WrittenReport { path, problems })
}

/// The report of a run as HTML, and what it could not show. Its commands name the run by its path.
pub fn report_html(run: &RunDir) -> (String, Vec<String>) {
    let mut data = RunData::verified(run);
    let pictures = samples::Pictures::read(run, &mut data);
    let mut page = page::Page::default();
    overview::write(&mut page, &data);
    match (&data.plan.training, &data.plan.strategy) {
        (Some(plan), _) => training::write(&mut page, &data, plan),
        (None, Some(plan)) => {
            architecture::write(&mut page, &data);
            trainings::write(&mut page, &data, plan);
            believed::write(&mut page, &data, plan);
        }
        (None, None) => {
            architecture::write(&mut page, &data);
            scores::write(&mut page, &data);
            contrasts::write(&mut page, &data);
            expected::write(&mut page, &data);
            policy::write(&mut page, &data);
        }
    }
    if data.plan.strategy.is_none() {
        curves::write(&mut page, &data);
    }
    samples::write(&mut page, &data, &pictures);
    details::write(&mut page, &data, &run.path().display().to_string());
    let what = if data.plan.training.is_some() { "training" } else { "search" };
    (page.finish(&format!("AutoGAN {what} {}", data.summary.name)), data.problems)
}
