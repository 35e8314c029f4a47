//! A [`Plan`] says which of the scores that are asked for can be computed, before the first image is decoded.

use anyhow::bail;
use autogan_metrics::Matrix;

use super::compare::NEIGHBOURS;
use super::looked::Looked;
use super::sets::Set;
use super::{Comparisons, Options};

/// Images of which two halves can be drawn that have a covariance each.
const LEAST_FOR_HALVES: usize = 4;

/// Scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub inception_score: bool,
    pub fid: bool,
    pub comparisons: Comparisons,
}

impl Wanted {
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        !(self.inception_score || self.compares())
    }

    /// Whether any of them compares two sets.
    pub fn compares(self) -> bool {
        self.fid || self.comparisons.any()
    }

    /// Those of the spatial features of sFID, or those of the features that are asked for.
    pub fn over(self, spatial: bool) -> Self {
        match spatial {
            true => {
                let comparisons = self.comparisons.only_sfid();
                Self { inception_score: false, fid: false, comparisons }
            }
            false => Self { comparisons: Comparisons { sfid: false, ..self.comparisons }, ..self },
        }
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
    /// Whether there are features without classes in place of images.
    pub features_only: bool,
}

impl<'a> Outline<'a> {
    /// The outline of an input that was looked at. A pipe may hold any number of images.
    pub fn of(looked: &'a Looked) -> Self {
        let features = looked.features();
        let images = looked.images().map(|images| images.count().unwrap_or(usize::MAX));
        Self {
            label: &looked.label,
            images: images.or(features.map(Matrix::rows)),
            unlike: looked.unlike.as_deref(),
            stored: looked.stats().is_some(),
            features_only: features.is_some(),
        }
    }

    /// The outline of a set that was read, which can be compared.
    pub fn of_read(set: &'a Set) -> Self {
        let (label, stored) = (set.label(), set.reads_statistics());
        let images = set.holds_features().then(|| set.count()).flatten();
        Self { label, images, unlike: None, stored, features_only: !set.has_classes() }
    }

    /// A set of `count` images that are made later.
    pub fn to_be_made(label: &'a str, count: usize) -> Self {
        Self { label, images: Some(count), unlike: None, stored: false, features_only: false }
    }

    /// Says why `score` cannot be computed, which needs `least` images.
    fn lacks(&self, score: &str, least: usize, help: &str) -> Option<String> {
        let label = self.label;
        let needs = if score.contains(" and ") { "need" } else { "needs" };
        match self.images {
            None => Some(format!(
                "{score} {needs} images, and {label} holds only their mean and covariance"
            )),
            Some(found) if found < least => Some(format!(
                "{score} {needs} at least {least} images, found {found} in {label}: {help}"
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
    /// Plans the scores `wanted` of the first of `sets`, against the second those that compare; `spatial` are the same
    /// sets for sFID, whose statistics are others.
    pub fn new(
        options: &Options,
        mut wanted: Wanted,
        sets: &[Outline<'_>],
        spatial: &[Outline<'_>],
    ) -> Self {
        let mut refused = Vec::new();
        let mut check = |asked: &mut bool, fault: Option<String>| {
            if let (true, Some(fault)) = (*asked, fault) {
                *asked = false;
                refused.push(fault);
            }
        };
        let need = Need { halves: options.settings.halves() };
        let (score, asked) = ("the Inception Score", &mut wanted.inception_score);
        check(asked, options.without_classes());
        let without = sets.first().filter(|set| set.features_only && set.images.is_some());
        check(asked, without.map(|set| features_have_no_classes(set.label)));
        let splits = options.splits;
        check(
            asked,
            need.images(sets.get(..1).unwrap_or_default(), score, splits, ", or fewer --splits"),
        );
        check(&mut wanted.fid, need.statistics(sets, "FID"));
        let all = &mut wanted.comparisons;
        check(&mut all.sfid, need.statistics(spatial, "sFID"));
        check(&mut all.kid, need.subsets(sets, options.settings.subset_size()));
        check(&mut all.prc, need.images(sets, "precision and recall", NEIGHBOURS + 1, ""));
        let (score, least) = ("density and coverage", options.settings.neighbours() + 1);
        let help = ", or fewer --density-neighbours";
        check(&mut all.density, need.images(sets, score, least, help));
        check(&mut all.mmd, need.images(sets, "MMD", 2, ""));
        check(&mut all.mind, need.images(sets, "MIND", 1, ""));
        Self { wanted, refused }
    }

    /// Plans a pass anew for sets that were read, of which one may be a pipe whose length nobody knew before. Names what
    /// cannot be computed of `wanted`, and returns the rest.
    pub fn recount(&mut self, options: &Options, wanted: Wanted, read: &[Set]) -> Wanted {
        let sets: Vec<Outline<'_>> = read.iter().map(Outline::of_read).collect();
        let Self { wanted, refused } = Self::new(options, wanted, &sets, &sets);
        refused.iter().for_each(|fault| crate::terminal::error(fault));
        self.refused.extend(refused);
        wanted
    }

    /// Names what cannot be computed. It fails when nothing can.
    pub fn announce(&self) -> anyhow::Result<()> {
        let said = match (self.wanted.is_empty(), self.refused.split_last()) {
            // The error that ends the command is one of them.
            (true, Some((_, others))) => others,
            _ => &self.refused,
        };
        said.iter().for_each(|fault| crate::terminal::error(fault));
        match self.refused.last() {
            Some(last) if self.wanted.is_empty() => bail!("{last}"),
            _ => Ok(()),
        }
    }
}

/// Why features from a file have no Inception Score.
fn features_have_no_classes(label: &str) -> String {
    format!("the Inception Score needs images, and {label} holds only their features")
}

/// Why spatial features have no Inception Score.
pub const NO_CLASSES: &str =
    "the Inception Score needs classes, and spatial features have none: leave out --dims spatial";

/// What scores need of the sets.
struct Need {
    /// Whether halves of the sets are scored, too.
    halves: bool,
}

impl Need {
    /// The fault of a score that needs `least` images in each set and in each half of it.
    fn images(
        &self,
        sets: &[Outline<'_>],
        score: &str,
        least: usize,
        help: &str,
    ) -> Option<String> {
        let least = if self.halves { (2 * least).max(LEAST_FOR_HALVES) } else { least };
        self.lacking(sets, score, least, help)
    }

    /// The fault of KID: its halves are scored without subsets.
    fn subsets(&self, sets: &[Outline<'_>], size: usize) -> Option<String> {
        let least = if self.halves { size.max(LEAST_FOR_HALVES) } else { size };
        self.lacking(sets, "KID", least, ", or a smaller --kid-subset-size")
    }

    /// The fault of a Fréchet distance, which takes statistics where they are stored.
    fn statistics(&self, sets: &[Outline<'_>], score: &str) -> Option<String> {
        if let Some(unlike) = sets.iter().find_map(|set| set.unlike) {
            return Some(unlike.to_owned());
        }
        if self.halves && sets.iter().all(|set| set.stored) {
            return Some(format!(
                "an interval of {score} needs images of one set at least, found the mean and covariance of both: \
                 leave out --bootstrap"
            ));
        }
        let of_images: Vec<Outline<'_>> = sets.iter().filter(|set| !set.stored).copied().collect();
        self.images(&of_images, score, 2, "")
    }

    fn lacking(
        &self,
        sets: &[Outline<'_>],
        score: &str,
        least: usize,
        help: &str,
    ) -> Option<String> {
        let without = if self.halves { ", or leave out --bootstrap" } else { "" };
        let help = format!("give more images{help}{without}");
        // A set without images comes first: no number of images in the other one helps.
        let without = sets.iter().filter(|set| set.images.is_none());
        without.chain(sets).find_map(|set| set.lacks(score, least, &help))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        comparisons: Comparisons,
        #[command(flatten)]
        options: Options,
    }

    const ALL: &str = "--kid --prc --density --sfid --mmd --mind";

    fn plan(line: &str, sets: &[Outline<'_>], spatial: &[Outline<'_>]) -> Plan {
        let words = ["score"].into_iter().chain(ALL.split(' ')).chain(line.split_whitespace());
        let Line { comparisons, options } = Line::parse_from(words);
        let wanted = Wanted { inception_score: true, fid: true, comparisons };
        Plan::new(&options, wanted, sets, spatial)
    }

    /// The refusals for two sets of `n` images.
    fn refused(line: &str, n: usize) -> Vec<String> {
        let sets = [Outline::to_be_made("gen", n), Outline::to_be_made("ref", n)];
        plan(line, &sets, &sets).refused
    }

    #[test]
    fn each_score_has_a_least_number_of_images() {
        let line = "--splits 7 --kid-subset-size 9 --density-neighbours 7";
        let found = refused(line, 1);
        let least = [
            "the Inception Score needs at least 7",
            "FID needs at least 2",
            "sFID needs at least 2",
            "KID needs at least 9",
            "precision and recall need at least 4",
            "density and coverage need at least 8",
            "MMD needs at least 2",
        ];
        assert_eq!(found.len(), least.len(), "{found:?}");
        for (found, least) in found.iter().zip(least) {
            assert!(found.starts_with(&format!("{least} images, found 1 in gen")), "{found}");
        }
        assert_eq!(refused(line, 8).len(), 1, "{:?}", refused(line, 8));
        assert!(refused(line, 9).is_empty());
    }

    #[test]
    fn halves_need_twice_as_many_images_but_for_kids_subsets() {
        let line = "--splits 7 --kid-subset-size 9 --density-neighbours 7 --bootstrap 20";
        let found = refused(line, 3);
        let least = [14, 4, 4, 9, 8, 16, 4, 4];
        assert_eq!(found.len(), least.len(), "{found:?}");
        for (found, least) in found.iter().zip(least) {
            assert!(found.contains(&format!("at least {least} images, found 3")), "{found}");
            assert!(found.ends_with("or leave out --bootstrap"), "{found}");
        }
        assert_eq!(refused(line, 15).len(), 1);
        assert!(refused(line, 16).is_empty());
    }

    #[test]
    fn statistics_serve_the_frechet_distances_only() {
        let images = Outline::to_be_made("gen", 2000);
        let stored = Outline { images: None, stored: true, ..Outline::to_be_made("ref", 0) };
        let wrong = Outline { unlike: Some("ref has no mu_s"), stored: false, ..stored };
        let found = plan("", &[images, stored], &[images, wrong]);
        assert!(found.wanted.inception_score && found.wanted.fid);
        assert!(!found.wanted.comparisons.any());
        assert_eq!(found.refused[0], "ref has no mu_s");
        let only = " images, and ref holds only their mean and covariance";
        assert!(found.refused[1..].iter().all(|fault| fault.ends_with(only)), "{found:?}");
        assert_eq!(found.refused.len(), 6);
        assert!(plan("", &[images, stored], &[images, stored]).wanted.comparisons.sfid);

        // Two sets of statistics have no halves; one of them has.
        let both = Outline { images: Some(2000), ..stored };
        let found = plan("--bootstrap 20", &[both, both], &[both, images]);
        assert!(!found.wanted.fid && found.wanted.comparisons.sfid);
        assert_eq!(found.refused.len(), 1);
        assert!(found.refused[0].contains("an interval of FID needs images"), "{found:?}");
    }

    #[test]
    fn features_from_a_file_have_no_classes() {
        let images = Outline::to_be_made("gen", 2000);
        let features = Outline { features_only: true, ..images };
        let found = plan("", &[features, images], &[images, images]);
        assert_eq!(found.refused, [features_have_no_classes("gen")]);
        assert!(plan("", &[images, features], &[images, images]).refused.is_empty());
    }

    #[test]
    fn spatial_features_have_no_classes() {
        let images = Outline::to_be_made("gen", 2000);
        let found = plan("--dims spatial", &[images, images], &[images, images]);
        assert_eq!(found.refused, [NO_CLASSES]);
        assert!(!found.wanted.inception_score && found.wanted.fid);
        let found = plan("--extractor dinov2-vits14", &[images, images], &[images, images]);
        assert!(found.refused.len() == 1 && found.refused[0].contains("dinov2-vits14 has none"));
    }
}
