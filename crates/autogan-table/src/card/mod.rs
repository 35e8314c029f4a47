//! [`card`] writes the data card of a table: how it was made, what is in it, how noisy it is, and what its limits are.
//!
//! Each section is made of the table alone; one without data says so.

mod contents;
mod markdown;
mod noise;
mod order;
mod shares;

use crate::origin::Origin;
use crate::plan::{LENGTHS, USUAL};
use crate::table::Table;
use markdown::{Page, count};

/// How the trainings of a table were set.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// The preset of the trainings.
    pub preset: &'a str,
    /// What was changed in it, as `key=value`.
    pub settings: &'a [&'a str],
    /// What else the reader has to know of the images, each in a sentence or two.
    pub notes: &'a [String],
}

/// Resamples of each bootstrap.
const DRAWS: usize = 1000;

/// The length that most statistics are of.
const LENGTH: u64 = USUAL;

/// What a section says that has no data.
const NO_DATA: &str = "The table does not hold enough trainings for this section yet.";

/// The data card of a table, as Markdown. The same table gives the same text.
pub fn card(table: &Table, making: Making<'_>) -> String {
    let mut page = Page::new("AutoGAN's search space, trained from scratch on CIFAR-10");
    page.text(
        "This table holds what GAN generators of AutoGAN's search space reach when each of them is \
         trained alone, with several seeds and scored at several lengths. A search strategy can ask \
         the table instead of training. The table is a tabular benchmark, as NAS-Bench is for \
         classifiers.",
    );
    page.text("The command `autogan table card` makes this page from the table alone.");
    contents::write(&mut page, table);
    made(&mut page, table, making);
    noise::write(&mut page, table);
    order::write(&mut page, table);
    shares::write(&mut page, table);
    contents::seconds(&mut page, table);
    limits(&mut page);
    licence(&mut page);
    page.finish()
}

fn made(page: &mut Page, table: &Table, making: Making<'_>) {
    page.heading("How it was made");
    let lengths = LENGTHS.map(|length| length.to_string());
    page.list(&[
        format!(
            "**Trainings**: the preset `{}` of `autogan train` with the settings below. One training \
             takes one thread. The seed sets the initial weights, the order of the images and the \
             latents.",
            making.preset
        ),
        format!(
            "**Lengths**: each training is scored after {} iterations, as far as it goes. One \
             iteration is a step of the discriminator and a step of the generator. Most trainings end \
             after {USUAL}.",
            lengths.join(", ")
        ),
        images(table.origin(), making.notes),
        scores(table.origin()),
        "**Architectures**: all 36 of one cell; all 2,592 of two cells; 600 of the 373,248 of three \
         cells, drawn so that each choice of each token is in equally many."
            .to_owned(),
        "**Diverged** trainings keep their rows, without scores. Below, they count only where they are \
         named."
            .to_owned(),
    ]);
    let settings = making.settings.iter().map(|setting| format!("--set {setting}"));
    let lines: Vec<String> = settings.collect();
    let command = format!(
        "autogan train --preset {} --arch \"ARCH\" --seed SEED --data DIR \\\n  {}",
        making.preset,
        lines.join(" \\\n  ")
    );
    page.text("So one training of the table is carried out anew:");
    page.code("sh", &command);
    page.text("And so the whole table is made, and this page:");
    page.code("sh", "autogan table make --data DIR\nautogan table pack\nautogan table card");
}

/// The images of the trainings.
fn images(origin: Option<&Origin>, notes: &[String]) -> String {
    let which = match origin {
        Some(Origin { dataset, images, images_sha256, .. }) => format!(
            "{} training images of the dataset `{dataset}`. The SHA-256 of their number, side, labels and \
             pixels is `{images_sha256}`.",
            count(*images)
        ),
        None => "CIFAR-10. The table does not say which of its images.".to_owned(),
    };
    let sides = "They are scaled to 8x8 for one cell, to 16x16 for two cells; three cells see them at 32x32.";
    let notes = notes.iter().map(String::as_str);
    let sentences: Vec<&str> = [which.as_str(), sides].into_iter().chain(notes).collect();
    format!("**Images**: {}", sentences.join(" "))
}

/// The scorer and what it gives.
fn scores(origin: Option<&Origin>) -> String {
    let scorer = match origin {
        Some(Origin { scorer, scorer_sha256: Some(sha256), .. }) => {
            format!("the classifier `{scorer}`, whose weights have the SHA-256 `{sha256}`")
        }
        Some(Origin { scorer, .. }) => format!("the classifier `{scorer}`"),
        None => "the compact classifier of CIFAR-10".to_owned(),
    };
    format!(
        "**Scores**: images of the generator's moving average, as many as `score.images` below says, by \
         {scorer}. `is` is the formula of the Inception Score, `frechet` (F below) the Fréchet distance to \
         all training images. They are not the published Inception Score and FID, and cannot be compared \
         with them."
    )
}

fn limits(page: &mut Page) {
    page.heading("Known limits");
    page.list(&[
        "The trainings are short and the networks small. Which architecture is best after 300 \
         iterations at a width of 16 need not be the best one at the size of the paper."
            .to_owned(),
        "Scores of different numbers of cells are at different sizes of the images. Do not compare \
         them."
            .to_owned(),
        "The classifier that scores was trained on images of the same dataset. Another scorer can order \
         architectures differently."
            .to_owned(),
        "F of a few thousand images is above F of many images.".to_owned(),
        "Three cells are a sample of 600. A strategy that asks for a neighbour will mostly not find it."
            .to_owned(),
        "Most architectures have one or two seeds. The best score of many is too good by chance: \
         judge a winner by seeds that did not choose it."
            .to_owned(),
        "Seconds are of one kind of machine. Their ratios carry over better than they do.".to_owned(),
    ]);
}

fn licence(page: &mut Page) {
    page.heading("Licence and citation");
    page.text(
        "The numbers of the table and this page are dedicated to the public domain: \
         [CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/). The code that made them has \
         the licence of this project (MIT or Apache 2.0).",
    );
    page.text(
        "The table holds no image. The makers of CIFAR-10 state no licence for its images. They ask \
         to cite: Alex Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*, 2009.",
    );
    page.text(
        "To cite the table, name this project, its version, and the SHA-256 of the file. The search \
         space is that of Gong et al., *AutoGAN: Neural Architecture Search for Generative Adversarial \
         Networks*, ICCV 2019 (arXiv 1908.03835).",
    );
}

/// The name of a number of cells.
fn cells_name(cells: usize) -> String {
    let word = ["one cell", "two cells", "three cells"].get(cells.wrapping_sub(1));
    word.map_or_else(|| format!("{cells} cells"), |word| (*word).to_owned())
}

#[cfg(test)]
mod tests;
