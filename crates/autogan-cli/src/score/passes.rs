//! [`Passes`] send images through a network: once for the features that are asked for, once more for those of sFID.

use autogan_metrics::io::ImageSource;

use super::Options;
use super::looked::Looked;
use super::plan::{Outline, Plan, Wanted};
use super::sets::{Set, Sets};

/// One way of all inputs through a network.
pub struct Pass<'a> {
    pub sets: Sets<'a>,
    looked: Vec<Looked>,
    /// Whether sFID is made of it, and the other scores are not.
    sfid: bool,
}

impl Pass<'_> {
    /// Reads the inputs.
    pub fn read(&mut self) -> anyhow::Result<Vec<Set>> {
        std::mem::take(&mut self.looked).into_iter().map(|input| self.sets.read(input)).collect()
    }
}

/// The passes that scores need: there is none over the features that are asked for where sFID alone is wanted.
pub struct Passes<'a> {
    options: &'a Options,
    wanted: Wanted,
    made: Option<Outline<'a>>,
    passes: Vec<Pass<'a>>,
}

impl<'a> Passes<'a> {
    /// Looks at the inputs of all passes, before the first image is decoded. `spatial` are the options of sFID, where
    /// it is wanted, and `made` stands for a set of images that are made later.
    pub fn look(
        options: &'a Options,
        spatial: Option<&'a Options>,
        wanted: Wanted,
        inputs: &[&str],
        made: Option<Outline<'a>>,
    ) -> anyhow::Result<Self> {
        let mut passes: Vec<Pass<'a>> = Vec::new();
        let features = (!wanted.over(false).is_empty()).then_some(options);
        let features = features.map(|options| (options, false));
        for (options, sfid) in features.into_iter().chain(spatial.map(|options| (options, true))) {
            let mut sets = Sets::new(options);
            if made.is_some() {
                sets.load_extractor()?;
            }
            let looked = match passes.first() {
                Some(first) => sets.look_again(&first.looked)?,
                None => sets.look(inputs)?,
            };
            passes.push(Pass { sets, looked, sfid });
        }
        Ok(Self { options, wanted, made, passes })
    }

    /// What can be computed.
    pub fn plan(&self) -> Plan {
        let sets = self.outlines(self.passes.first());
        let spatial = self.outlines(self.passes.last());
        Plan::new(self.options, self.wanted, &sets, &spatial)
    }

    /// What is known of the sets of a pass.
    fn outlines<'s>(&'s self, pass: Option<&'s Pass<'a>>) -> Vec<Outline<'s>> {
        let looked = pass.into_iter().flat_map(|pass| pass.looked.iter().map(Outline::of));
        self.made.into_iter().chain(looked).collect()
    }

    /// The passes that a plan needs, each with its scores. A pipe is kept for the second of two. It fails when there can be
    /// no file that keeps it.
    pub fn needed(self, plan: &Plan) -> anyhow::Result<Vec<(Pass<'a>, Wanted)>> {
        let wanted = plan.wanted;
        let with = move |pass: Pass<'a>| {
            let part = wanted.over(pass.sfid);
            (pass, part)
        };
        let needed: Vec<_> =
            self.passes.into_iter().map(with).filter(|(_, part)| !part.is_empty()).collect();
        if let [(first, _), _] = &needed[..] {
            first.looked.iter().filter_map(Looked::images).try_for_each(ImageSource::keep)?;
        }
        Ok(needed)
    }
}
