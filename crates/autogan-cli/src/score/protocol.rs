//! This module refuses sets whose features follow different protocols.

use anyhow::ensure;
use autogan_metrics::io::StatsProtocol;

use super::extractor::INCEPTION;
use super::sets::Set;
use super::{Options, report};

/// Name of an extractor and hash of its weights.
pub type Protocol<'a> = (&'a str, Option<&'a str>);

/// Refuses features that follow different protocols.
pub fn same_protocol(
    (first, (a, a_weights)): (&str, Protocol<'_>),
    (second, (b, b_weights)): (&str, Protocol<'_>),
) -> anyhow::Result<()> {
    ensure!(
        a == b,
        "{first} follows {a} and {second} follows {b}: scores across protocols mean nothing; make both with the same \
         --extractor, --preset and --dims"
    );
    ensure!(
        a_weights == b_weights,
        "{first} and {second} were made with different weights (SHA-256 {} and {}): make both with the same --weights",
        a_weights.unwrap_or("none"),
        b_weights.unwrap_or("none")
    );
    Ok(())
}

/// Refuses statistics of another preset than the one that is asked for, where nothing is computed with it here.
pub fn check_asked(options: &Options, label: &str, theirs: &StatsProtocol) -> anyhow::Result<()> {
    let asked = options.preset.filter(|_| options.extractor == INCEPTION);
    let Some(preset) = asked else { return Ok(()) };
    ensure!(
        report::preset(&theirs.extractor) == preset.name(),
        "{label} follows {} and what is asked for here follows {}: scores across protocols mean nothing; leave out \
         --preset, or give other statistics",
        theirs.extractor,
        preset.extractor_name()
    );
    Ok(())
}

/// Refuses sets whose features follow different protocols, and tells what shifts a comparison: of statistics where the
/// Fréchet distance reads them.
pub fn check_comparable(
    first: &Set,
    second: &Set,
    reads_statistics: bool,
) -> anyhow::Result<Vec<&'static str>> {
    if let (Some(a), Some(b)) = (first.protocol(), second.protocol()) {
        same_protocol((first.label(), a), (second.label(), b))?;
    }
    let mut warnings = Vec::new();
    let foreign =
        |set: &Set| set.has_foreign_features() || reads_statistics && set.has_foreign_statistics();
    if foreign(first) || foreign(second) {
        warnings.push(
            "the statistics do not say how they were made: extractor, preset and weights must be the same for both sets",
        );
    }
    if let (Set::Features { lossy: Some(a), .. }, Set::Features { lossy: Some(b), .. }) =
        (first, second)
        && a != b
    {
        warnings.push(
            "one set is stored as JPEG and the other is not: JPEG artefacts alone shift FID and KID; store both the same way",
        );
    }
    Ok(warnings)
}
