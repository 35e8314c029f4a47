//! The scores of a report that compare two sets.

use autogan_metrics::{
    FrechetSide, Interval, frechet_distance, frechet_distance_interval, frechet_distance_of_sets,
    kernel_distance, kernel_distance_interval, mind, mind_interval, mmd, mmd_interval, prdc,
    prdc_intervals, precision_recall, precision_recall_intervals,
};

use super::names::Metric;
use super::plan::Wanted;
use super::protocol::check_comparable;
use super::report::Report;
use super::sets::Set;

/// Neighbour whose distance makes the radius of precision and recall.
pub const NEIGHBOURS: usize = 3;

/// How the bar of halves looks.
const HALVES: &str = "{prefix} of halves {bar:30} {pos}/{len} left {eta}";

impl Report<'_> {
    /// Adds the scores that compare two sets, each if it is asked for.
    pub fn compare(
        &mut self,
        generated: &Set,
        reference: &Set,
        wanted: Wanted,
    ) -> anyhow::Result<()> {
        type Score<'a> = fn(&mut Report<'a>, &Set, &Set) -> anyhow::Result<()>;
        let Wanted { fid, comparisons, .. } = wanted;
        for warning in check_comparable(generated, reference, fid || comparisons.sfid)? {
            // Two passes over the same sets have the same to say.
            if self.said.insert(warning) {
                self.options.warn(warning);
            }
        }
        let scores: [(bool, Score<'_>); 7] = [
            (fid, |report, a, b| {
                let spatial = report.options.is_spatial();
                report.frechet(if spatial { Metric::Sfid } else { Metric::Fid }, a, b)
            }),
            (comparisons.sfid, |report, a, b| report.frechet(Metric::Sfid, a, b)),
            (comparisons.kid, Report::kid),
            (comparisons.prc, Report::prc),
            (comparisons.density, Report::density),
            (comparisons.mmd, Report::mmd),
            (comparisons.mind, Report::mind),
        ];
        for (_, score) in scores.into_iter().filter(|(asked, _)| *asked) {
            score(self, generated, reference)?;
        }
        Ok(())
    }

    /// Adds the Fréchet distance.
    fn frechet(&mut self, metric: Metric, generated: &Set, reference: &Set) -> anyhow::Result<()> {
        fn side(set: &Set) -> FrechetSide<'_> {
            match set {
                Set::Features { beside: Some(stored), .. } | Set::Stored { stored, .. } => {
                    FrechetSide::Statistics(&stored.stats)
                }
                Set::Features { features, .. } => FrechetSide::Features(&features.features),
            }
        }
        let (distance, interval) = match (self.resample(), generated, reference) {
            (Some(config), ..) => {
                let bar = self.options.bar(config.resamples, HALVES);
                let bar = bar.with_prefix(self.names.title(metric));
                let (a, b) = (side(generated), side(reference));
                let progress = &mut |done| bar.set_position(done as u64);
                let found = frechet_distance_interval(a, b, &config, progress)?;
                bar.finish_and_clear();
                (found.0, Some(found.1))
            }
            (
                None,
                Set::Features { features: a, beside: None, .. },
                Set::Features { features: b, beside: None, .. },
            ) => (frechet_distance_of_sets(&a.features, &b.features)?, None),
            (None, ..) => {
                (frechet_distance(&generated.statistics()?, &reference.statistics()?)?, None)
            }
        };
        self.add(metric, distance, None, interval);
        Ok(())
    }

    /// Adds the kernel distance.
    fn kid(&mut self, generated: &Set, reference: &Set) -> anyhow::Result<()> {
        let (a, b) = (&generated.features("KID")?.features, &reference.features("KID")?.features);
        let config = self.options.settings.kid(self.options.seed);
        let (found, interval) = match self.resample() {
            Some(resample) => with(kernel_distance_interval(a, b, &config, &resample)?),
            None => (kernel_distance(a, b, &config)?, None),
        };
        self.add(Metric::Kid, found.mean, Some(found.std), interval);
        Ok(())
    }

    /// Adds precision and recall; the reference is the real set.
    fn prc(&mut self, generated: &Set, reference: &Set) -> anyhow::Result<()> {
        let need = "precision and recall";
        let (a, b) = (&generated.features(need)?.features, &reference.features(need)?.features);
        let (found, intervals) = match self.resample() {
            Some(config) => {
                let (found, [precision, recall]) =
                    precision_recall_intervals(b, a, NEIGHBOURS, &config)?;
                (found, (Some(precision), Some(recall)))
            }
            None => (precision_recall(b, a, NEIGHBOURS)?, (None, None)),
        };
        self.add(Metric::Precision, found.precision, None, intervals.0);
        self.add(Metric::Recall, found.recall, None, intervals.1);
        let sum = (found.precision + found.recall).max(1e-5);
        self.add(Metric::FScore, 2.0 * found.precision * found.recall / sum, None, None);
        Ok(())
    }

    /// Adds density and coverage, and precision and recall over the same neighbours.
    fn density(&mut self, generated: &Set, reference: &Set) -> anyhow::Result<()> {
        let need = "density and coverage";
        let (a, b) = (&generated.features(need)?.features, &reference.features(need)?.features);
        let k = self.options.settings.neighbours();
        let (found, intervals) = match self.resample() {
            Some(config) => with(prdc_intervals(b, a, k, &config)?),
            None => (prdc(b, a, k)?, None),
        };
        let of =
            |pick: fn(&autogan_metrics::PrdcIntervals) -> Interval| intervals.as_ref().map(pick);
        for (metric, value, interval) in [
            (Metric::Density, found.density, of(|i| i.density)),
            (Metric::Coverage, found.coverage, of(|i| i.coverage)),
            (Metric::PrdcPrecision, found.precision, of(|i| i.precision)),
            (Metric::PrdcRecall, found.recall, of(|i| i.recall)),
        ] {
            self.add(metric, value, None, interval);
        }
        Ok(())
    }

    /// Adds the distance of whole sets under a Gaussian kernel.
    fn mmd(&mut self, generated: &Set, reference: &Set) -> anyhow::Result<()> {
        let (a, b) = (&generated.features("MMD")?.features, &reference.features("MMD")?.features);
        let config = self.options.settings.mmd();
        let (found, interval) = match self.resample() {
            Some(resample) => with(mmd_interval(a, b, &config, &resample)?),
            None => (mmd(a, b, &config)?, None),
        };
        self.add(Metric::Mmd, found, None, interval);
        Ok(())
    }

    /// Adds the Monge Inception Distance.
    fn mind(&mut self, generated: &Set, reference: &Set) -> anyhow::Result<()> {
        let (a, b) = (&generated.features("MIND")?.features, &reference.features("MIND")?.features);
        let config = self.options.settings.mind(self.options.seed);
        let (found, interval) = match self.resample() {
            Some(resample) => with(mind_interval(a, b, &config, &resample)?),
            None => (mind(a, b, &config)?, None),
        };
        self.add(Metric::Mind, found, None, interval);
        Ok(())
    }
}

fn with<S, I>((score, interval): (S, I)) -> (S, Option<I>) {
    (score, Some(interval))
}
