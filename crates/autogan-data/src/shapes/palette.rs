//! A [`Palette`] holds the colours of an image of the embedded dataset: a saturated object on a soft background, with a
//! guaranteed distance in brightness.

use rand::Rng;

use crate::draw::{below, between};

/// Least difference in [`luma`] between the object and any point of its background.
pub const MIN_CONTRAST: f32 = 0.3;

/// Share by which the background gets darker and lighter across the picture, at most.
const MAX_SLOPE: f32 = 0.12;

/// An RGB colour, each channel in `[0, 1]`.
pub(super) type Rgb = [f32; 3];

/// The colours of one picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    /// Colour of the object.
    pub object: Rgb,
    /// Colour in the middle of the background.
    pub ground: Rgb,
    /// The background's colour is multiplied by `1 - slope` at one end and `1 + slope` at the
    /// other.
    pub slope: f32,
}

/// Brightness of a colour with channels in `[0, 1]`, weighted as in ITU-R BT.601.
pub fn luma([red, green, blue]: [f32; 3]) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

impl Palette {
    pub(super) fn random(rng: &mut impl Rng) -> Self {
        let hue = between(rng, 0.0, 1.0);
        let object = hsv(hue, between(rng, 0.75, 1.0), between(rng, 0.85, 1.0));
        let ground_hue = hue + between(rng, 0.2, 0.8);
        let slope = between(rng, 0.0, MAX_SLOPE);
        let pale_fits = luma(object) < 0.5;
        let dark_fits = luma(object) > 0.4;
        let pale = pale_fits && (!dark_fits || below(rng, 2) == 0);
        let ground = if pale {
            let colour = hsv(ground_hue, between(rng, 0.05, 0.3), between(rng, 0.9, 1.0));
            lighten(colour, (luma(object) + MIN_CONTRAST) / (1.0 - slope))
        } else {
            let colour = hsv(ground_hue, between(rng, 0.3, 0.8), between(rng, 0.08, 0.35));
            darken(colour, (luma(object) - MIN_CONTRAST) / (1.0 + slope))
        };
        Self { object, ground, slope }
    }

    /// The background's colour at `place` in `[-1, 1]` along its gradient.
    pub(super) fn ground_at(&self, place: f32) -> Rgb {
        let factor = 1.0 + self.slope * place;
        self.ground.map(|channel| (channel * factor).min(1.0))
    }
}

/// Mixes in black until the brightness is at most `most` (no less than 0).
fn darken(colour: Rgb, most: f32) -> Rgb {
    let share = (most.max(0.0) / luma(colour).max(1e-6)).min(1.0);
    colour.map(|channel| channel * share)
}

/// Mixes in white until the brightness is at least `least` (no more than 1).
fn lighten(colour: Rgb, least: f32) -> Rgb {
    let missing = (1.0 - least.min(1.0)) / (1.0 - luma(colour)).max(1e-6);
    let share = missing.min(1.0);
    colour.map(|channel| 1.0 - (1.0 - channel) * share)
}

/// Hue in turns (any real), saturation and value in `[0, 1]`, to RGB.
fn hsv(hue: f32, saturation: f32, value: f32) -> Rgb {
    let sixths = (hue - hue.floor()) * 6.0;
    // Red is full around 0, green around 2, blue around 4 sixths of a turn.
    [0.0, 2.0, 4.0].map(|peak: f32| {
        let apart = (sixths - peak).abs();
        let apart = apart.min(6.0 - apart);
        let pure = (2.0 - apart).clamp(0.0, 1.0);
        value * (1.0 - saturation * (1.0 - pure))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::keyed;

    #[test]
    fn hsv_names_the_corners() {
        let close = |a: Rgb, b: Rgb| a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-6);
        assert!(close(hsv(0.0, 1.0, 1.0), [1.0, 0.0, 0.0]));
        assert!(close(hsv(1.0 / 6.0, 1.0, 0.5), [0.5, 0.5, 0.0]));
        assert!(close(hsv(1.0 / 3.0, 1.0, 1.0), [0.0, 1.0, 0.0]));
        assert!(close(hsv(2.0 / 3.0 + 5.0, 1.0, 1.0), [0.0, 0.0, 1.0]));
        assert!(close(hsv(0.3, 0.0, 0.7), [0.7; 3]));
    }

    #[test]
    fn object_and_background_are_always_apart() {
        let mut rng = keyed(b"palette", 0, 0, 0);
        let mut pale = 0;
        for _ in 0..20_000 {
            let palette = Palette::random(&mut rng);
            for place in [-1.0, -0.3, 0.5, 1.0] {
                let ground = palette.ground_at(place);
                assert!(ground.iter().all(|c| (0.0..=1.0).contains(c)), "{ground:?}");
                let gap = (luma(palette.object) - luma(ground)).abs();
                assert!(gap > MIN_CONTRAST - 1e-3, "{palette:?} at {place}: {gap}");
            }
            pale += usize::from(luma(palette.ground) > luma(palette.object));
        }
        assert!((5_000..15_000).contains(&pale), "{pale} of 20000 are pale");
    }
}
