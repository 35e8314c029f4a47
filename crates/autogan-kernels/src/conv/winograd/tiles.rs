//! This module finds the places of the tiles of a group of images, and deals them into the panels of the inner product.

use std::ops::Range;

use super::form::Form;

/// Tiles of one panel: three vectors of the widest unit.
pub(super) const PANEL: usize = 48;

/// The sizes of a convolution's images, and the number of their tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub form: Form,
    /// Source image.
    pub source: (usize, usize),
    /// Output image.
    pub output: (usize, usize),
    /// Tiles.
    pub rows: usize,
    pub cols: usize,
}

impl Grid {
    /// The sizes for source images of `h x w`.
    pub fn new(form: Form, (h, w): (usize, usize)) -> Self {
        let (output, (rows, cols)) = match form {
            Form::Same => ((h, w), (h.div_ceil(2), w.div_ceil(2))),
            Form::Up => ((2 * h, 2 * w), (h, w)),
            Form::Pool => ((h / 2, w / 2), (h / 2, w / 2)),
        };
        Self { form, source: (h, w), output, rows, cols }
    }

    /// Tiles of one image.
    pub fn tiles(&self) -> usize {
        self.rows * self.cols
    }

    /// Pixels of a source plane.
    pub fn source_pixels(&self) -> usize {
        self.source.0 * self.source.1
    }

    /// Pixels of an output plane.
    pub fn output_pixels(&self) -> usize {
        self.output.0 * self.output.1
    }

    /// Elements of a source plane that a run reads, in whole rows.
    pub fn source_rows(&self, run: &Run) -> Range<usize> {
        let (h, w) = self.source;
        let per = if self.form == Form::Up { 1 } else { 2 };
        let rows = (per * run.row).saturating_sub(1)..(per * (run.row + run.rows) + 1).min(h);
        rows.start * w..rows.end * w
    }

    /// Elements of an output plane that a run writes, in whole rows.
    pub fn output_rows(&self, run: &Run) -> Range<usize> {
        let (h, w) = self.output;
        let per = if self.form == Form::Pool { 1 } else { 2 };
        per * run.row * w..(per * (run.row + run.rows)).min(h) * w
    }

    /// Images that fill whole panels together, or the nearest number to it that is small.
    pub fn images_per_group(&self) -> usize {
        let lines = self.lines_per_panel();
        let segments = self.rows * self.cols.div_ceil(PANEL);
        (1..=12).find(|g| (g * segments).is_multiple_of(lines)).unwrap_or(12.min(lines))
    }

    /// Lines of tiles that fit into a panel.
    fn lines_per_panel(&self) -> usize {
        (PANEL / self.cols.max(1)).max(1)
    }

    /// The panels of `images` images.
    pub fn panels(&self, images: usize) -> Vec<Panel> {
        let mut panels: Vec<Panel> = Vec::new();
        for image in 0..images {
            for col in (0..self.cols).step_by(PANEL) {
                let cols = PANEL.min(self.cols - col);
                for row in 0..self.rows {
                    let open = panels.last_mut().filter(|p| p.tiles + cols <= PANEL);
                    match open {
                        Some(panel) => panel.push(image, row, col, cols),
                        None => {
                            let mut panel = Panel::default();
                            panel.push(image, row, col, cols);
                            panels.push(panel);
                        }
                    }
                }
            }
        }
        panels
    }
}

/// A panel of at most [`PANEL`] tiles.
#[derive(Clone, Debug, Default)]
pub(super) struct Panel {
    pub runs: Vec<Run>,
    pub tiles: usize,
}

impl Panel {
    fn push(&mut self, image: usize, row: usize, col: usize, cols: usize) {
        let last = self.runs.last_mut().filter(|run| {
            (run.image, run.row + run.rows, run.col, run.cols) == (image, row, col, cols)
        });
        match last {
            Some(run) => run.rows += 1,
            None => self.runs.push(Run { image, row, rows: 1, col, cols, lane: self.tiles }),
        }
        self.tiles += cols;
    }
}

/// Consecutive lines of tiles of one image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub image: usize,
    pub row: usize,
    pub rows: usize,
    pub col: usize,
    pub cols: usize,
    /// Place of the first tile in the panel.
    pub lane: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_has_one_place() {
        for (h, w) in [(1, 1), (4, 4), (7, 5), (8, 8), (12, 12), (32, 32), (3, 200), (48, 48)] {
            for images in [1, 3, 5] {
                let grid = Grid::new(Form::Same, (h, w));
                let mut seen = vec![0; images * grid.tiles()];
                for panel in grid.panels(images) {
                    assert!(panel.tiles <= PANEL);
                    let mut lane = 0;
                    for run in &panel.runs {
                        assert_eq!(run.lane, lane);
                        lane += run.rows * run.cols;
                        for r in run.row..run.row + run.rows {
                            for c in run.col..run.col + run.cols {
                                seen[(run.image * grid.rows + r) * grid.cols + c] += 1;
                            }
                        }
                    }
                    assert_eq!(lane, panel.tiles);
                }
                assert!(seen.iter().all(|&n| n == 1), "{h}x{w}, {images} images");
            }
        }
    }

    #[test]
    fn groups_of_usual_sizes_fill_their_panels() {
        for side in [4, 8, 12, 16, 24, 32] {
            let grid = Grid::new(Form::Same, (side, side));
            let panels = grid.panels(grid.images_per_group());
            assert!(panels.iter().all(|p| p.tiles == PANEL), "{side}");
        }
    }
}
