//! The losses of a unit of training, which are heard one unit late on every device: a card works on one step while the
//! host prepares the next, and nothing waits for what was launched last.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::event::Event;
use crate::step::ComingLoss;

/// Where the D step of a unit stood, and what it took.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Noted {
    /// D steps that are done with it: of this iteration, or of the whole training from scratch.
    pub step: u64,
    /// D steps that were done before it, over the whole run.
    pub d_steps: u64,
    /// Real images that it took.
    pub images: usize,
}

/// Losses that the host has not looked at.
pub(crate) struct Unheard {
    noted: Noted,
    d: ComingLoss,
    g: Option<ComingLoss>,
}

/// Losses that it has, as they lie in a checkpoint between two units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Heard {
    pub noted: Noted,
    pub d: f64,
    pub g: Option<f64>,
}

impl Unheard {
    /// Those of a D step, and of the G step that followed it, if one did.
    pub fn new(noted: Noted, d: ComingLoss, g: Option<ComingLoss>) -> Self {
        Self { noted, d, g }
    }

    /// Those of a checkpoint.
    pub fn known(heard: Heard) -> Self {
        let Heard { noted, d, g } = heard;
        Self::new(noted, ComingLoss::known(d), g.map(ComingLoss::known))
    }

    /// The losses; waits for their steps.
    ///
    /// # Errors
    /// When one is not finite, or the device failed.
    pub fn read(&self) -> Result<Heard> {
        let (d, g) = (self.d.read()?, self.g.as_ref().map(ComingLoss::read).transpose()?);
        Ok(Heard { noted: self.noted, d, g })
    }
}

impl Heard {
    /// What reporters are told.
    pub fn event(&self) -> Event {
        let Noted { step, d_steps, images } = self.noted;
        Event::Shared { step, d_steps, d_loss: self.d, g_loss: self.g, images }
    }
}
