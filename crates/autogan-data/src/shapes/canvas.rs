//! A [`Scene`] is one picture of the embedded dataset: figure, place, rotation and colours. It also paints the picture.

use rand::Rng;

use super::palette::Palette;
use super::sdf::{Figure, Point, direction};
use super::{IMAGE_LEN, SIDE};
use crate::draw::between;

/// Samples per pixel and axis; each is itself smoothed over its width.
const SAMPLES: usize = 2;

/// Everything that is drawn at random for a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    figure: Figure,
    centre: Point,
    rotation: Point,
    palette: Palette,
    gradient: Point,
}

impl Scene {
    /// A picture of class `class`.
    pub(super) fn random(class: usize, rng: &mut impl Rng) -> Self {
        let side = SIDE as f32;
        let palette = Palette::random(rng);
        let reach = 0.5 * side * between(rng, 0.6, 0.9);
        let figure = Figure::random(class, reach, rng);
        // Objects stay inside the picture; textures slide under it, circles around its middle.
        let room = match figure {
            Figure::Circles { .. } => 4.0,
            _ if figure.is_texture() => 8.0,
            _ => 0.5 * side - reach,
        };
        let place = |rng: &mut _| 0.5 * side + between(rng, -room, room);
        let centre = [place(rng), place(rng)];
        let tilt = figure.tilt();
        Self {
            figure,
            centre,
            rotation: direction(between(rng, -tilt, tilt)),
            palette,
            gradient: direction(between(rng, -0.5, 0.5)),
        }
    }

    /// Paints the picture into `[3, 32, 32]` u8.
    pub(super) fn paint(&self, image: &mut [u8]) {
        let area = SIDE * SIDE;
        let end = image.len().min(IMAGE_LEN);
        for pixel in 0..area {
            let (x, y) = ((pixel % SIDE) as f32, (pixel / SIDE) as f32);
            let share = self.coverage(x, y);
            let ground = self.palette.ground_at(self.along_gradient(x + 0.5, y + 0.5));
            for (channel, (&ground, &object)) in ground.iter().zip(&self.palette.object).enumerate()
            {
                let value = ground + share * (object - ground);
                let place = channel * area + pixel;
                if place < end {
                    image[place] = (value * 255.0 + 0.5) as u8;
                }
            }
        }
    }

    /// Share of the pixel whose upper left corner is `(x, y)` that the figure covers, in [0, 1].
    fn coverage(&self, x: f32, y: f32) -> f32 {
        let step = 1.0 / SAMPLES as f32;
        let mut sum = 0.0;
        for sample in 0..SAMPLES * SAMPLES {
            let dx = ((sample % SAMPLES) as f32 + 0.5) * step;
            let dy = ((sample / SAMPLES) as f32 + 0.5) * step;
            let distance = self.figure.distance(self.local([x + dx, y + dy]));
            sum += (0.5 - distance / step).clamp(0.0, 1.0);
        }
        sum * step * step
    }

    /// A point of the picture in the figure's own frame.
    fn local(&self, [x, y]: Point) -> Point {
        let (dx, dy) = (x - self.centre[0], y - self.centre[1]);
        let [cosine, sine] = self.rotation;
        [cosine * dx + sine * dy, cosine * dy - sine * dx]
    }

    /// Place along the background's gradient, in `[-1, 1]`.
    fn along_gradient(&self, x: f32, y: f32) -> f32 {
        let half = 0.5 * SIDE as f32;
        let along = (x - half) * self.gradient[0] + (y - half) * self.gradient[1];
        (along / half).clamp(-1.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::keyed;

    #[test]
    fn objects_cover_enough_and_stay_inside() {
        for class in 0..10 {
            for index in 0..200 {
                let scene = Scene::random(class, &mut keyed(b"scene", 0, 0, index));
                let cover = |p: usize| scene.coverage((p % SIDE) as f32, (p / SIDE) as f32);
                let total: f32 = (0..SIDE * SIDE).map(cover).sum();
                let share = total / (SIDE * SIDE) as f32;
                assert!((0.1..0.72).contains(&share), "{scene:?}: {share}");
                if !scene.figure.is_texture() {
                    let corners = [0, SIDE - 1, SIDE * (SIDE - 1), SIDE * SIDE - 1];
                    assert!(corners.iter().all(|&p| cover(p) == 0.0), "{scene:?}");
                }
            }
        }
    }
}
