//! A [`Plan`] says which of the scores that are asked for can be computed, before the first image is decoded.

use anyhow::bail;

use super::Options;
use super::sets::Looked;

/// The neighbours that precision and recall need in each set, and the image itself.
const LEAST_FOR_PRECISION: usize = super::report::NEIGHBOURS + 1;

/// Scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub inception_score: bool,
    pub fid: bool,
    pub kid: bool,
    pub prc: bool,
}

impl Wanted {
    /// Whether there is none.
    fn is_empty(self) -> bool {
        !(self.inception_score || self.fid || self.kid || self.prc)
    }
}

/// What is known of a set before its images are read.
#[derive(Debug, Clone, Copy)]
pub struct Outline<'a> {
    /// The name that the user gave to it.
    pub label: &'a str,
    /// Number of images, where there are images.
    pub images: Option<usize>,
    /// Why its statistics cannot be compared with what is computed here, where they cannot.
    pub unlike: Option<&'a str>,
    /// Whether the Fréchet distance reads statistics that are stored.
    pub stored: bool,
}

impl<'a> Outline<'a> {
    /// The outline of an input that was looked at.
    pub fn of(looked: &'a Looked) -> Self {
        Self {
            label: &looked.label,
            images: looked.images().map(autogan_metrics::io::ImageSource::len),
            unlike: looked.unlike.as_deref(),
            stored: looked.stored().is_some(),
        }
    }

    /// A set of `count` images that are made later.
    pub fn to_be_made(label: &'a str, count: usize) -> Self {
        Self { label, images: Some(count), unlike: None, stored: false }
    }

    /// Says why `score` cannot be computed, which needs `least` images.
    fn lacks(&self, score: &str, least: usize, help: &str) -> Option<String> {
        match self.images {
            None => {
                let label = self.label;
                Some(format!(
                    "{score} needs images, and {label} holds only their mean and covariance"
                ))
            }
            Some(found) if found < least => Some(format!(
                "{score} needs at least {least} images, found {found} in {}: {help}",
                self.label
            )),
            Some(_) => None,
        }
    }
}

/// What is computed, and why the rest is not.
#[derive(Debug)]
pub struct Plan {
    pub wanted: Wanted,
    /// Each score that cannot be computed, with what would help.
    pub refused: Vec<String>,
}

impl Plan {
    /// Plans the scores `wanted` of `generated`, and against `reference` those that compare.
    pub fn new(
        options: &Options,
        mut wanted: Wanted,
        generated: Outline<'_>,
        reference: Option<Outline<'_>>,
    ) -> Self {
        let mut refused = Vec::new();
        let mut check = |asked: &mut bool, fault: Option<String>| {
            if let (true, Some(fault)) = (*asked, fault) {
                *asked = false;
                refused.push(fault);
            }
        };
        let splits = options.splits;
        let help = "give more images, or fewer --splits";
        check(&mut wanted.inception_score, generated.lacks("the Inception Score", splits, help));
        let sets: Vec<Outline<'_>> = std::iter::once(generated).chain(reference).collect();
        let first = |fault: &dyn Fn(&Outline<'_>) -> Option<String>| sets.iter().find_map(fault);
        check(&mut wanted.fid, first(&|set| set.unlike.map(str::to_owned)));
        let fid = first(&|set| (!set.stored).then(|| set.lacks("FID", 2, "give more images"))?);
        check(&mut wanted.fid, fid);
        let size = options.kid_subset_size;
        let help = "give more images, or a smaller --kid-subset-size";
        check(&mut wanted.kid, first(&|set| set.lacks("KID", size, help)));
        let least = LEAST_FOR_PRECISION;
        let prc = first(&|set| set.lacks("precision and recall", least, "give more images"));
        check(&mut wanted.prc, prc);
        Self { wanted, refused }
    }

    /// Names what cannot be computed. It fails when nothing can.
    pub fn announce(&self) -> anyhow::Result<()> {
        if self.wanted.is_empty() {
            bail!("{}", self.refused.join("\n"));
        }
        self.refused.iter().for_each(|fault| crate::terminal::error(fault));
        Ok(())
    }
}
