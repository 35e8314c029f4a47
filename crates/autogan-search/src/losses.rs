//! [`ComingLosses`] are the losses of one unit of training. They are read one unit late on every device: a GPU works on
//! one step while the host prepares the next, and nothing waits for what was launched last.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::event::StepLosses;
use crate::step::ComingLoss;

/// The place of a unit's D step, and the images that it took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepPlace {
    /// D steps that are done with it: of this iteration, or of the whole training from scratch.
    pub step: u64,
    /// D steps that were done before it, over the whole run.
    pub d_steps: u64,
    /// Real images that it took.
    pub images: usize,
}

/// The losses of a unit that the host has not read.
pub(crate) struct ComingLosses {
    place: StepPlace,
    d: ComingLoss,
    g: Option<ComingLoss>,
}

/// The losses of a unit as numbers, which a checkpoint between two units holds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KnownLosses {
    #[serde(rename = "noted")]
    pub place: StepPlace,
    pub d: f64,
    pub g: Option<f64>,
}

impl ComingLosses {
    /// The losses of a D step, and of the G step that followed it, if one did.
    pub fn new(place: StepPlace, d: ComingLoss, g: Option<ComingLoss>) -> Self {
        Self { place, d, g }
    }

    /// The losses that a checkpoint holds.
    pub fn known(losses: KnownLosses) -> Self {
        let KnownLosses { place, d, g } = losses;
        Self::new(place, ComingLoss::known(d), g.map(ComingLoss::known))
    }

    /// Waits for the steps, and returns their losses.
    ///
    /// # Errors
    /// When one is not finite, or the device failed.
    pub fn read(&self) -> Result<KnownLosses> {
        let (d, g) = (self.d.read()?, self.g.as_ref().map(ComingLoss::read).transpose()?);
        Ok(KnownLosses { place: self.place, d, g })
    }
}

impl KnownLosses {
    /// The losses as reporters are told them, where there are `steps` D steps.
    pub fn told(&self, steps: u64) -> StepLosses {
        let StepPlace { step, d_steps, images } = self.place;
        StepLosses { step, steps, d_steps, d_loss: self.d, g_loss: self.g, images }
    }
}
