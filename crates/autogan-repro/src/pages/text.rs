//! This module holds what each page says in words: what the paper shows, and where a smaller scale differs from it.

use crate::item::Item;
use crate::job::SPREAD_WEIGHT;
use crate::scale::Scale;

/// What the item is, and what the paper finds.
pub(super) fn about(item: Item) -> &'static str {
    match item {
        Item::Table1 => {
            "The paper's table 1 compares generators on CIFAR-10. Its own rows: AutoGAN's first, second and third \
             architecture reach an Inception Score of 8.55 ± 0.10, 8.42 ± 0.06 and 8.41 ± 0.12, and an FID of 12.42, \
             13.67 and 13.87, at 50,000 images."
        }
        Item::Table2 => {
            "Section 4.2: the architecture that was found on CIFAR-10 is trained on STL-10 at 48x48, where it starts \
             from a feature map of 6x6. The paper reaches an Inception Score of 9.16 ± 0.12 and an FID of 31.01."
        }
        Item::Fig3 => {
            "The paper's figure 3 draws the architecture that the search found on CIFAR-10. It prefers \
             pre-activation, no normalisation, nearest neighbours and bilinear upsampling to deconvolution, and skips \
             between cells (section 4.1)."
        }
        Item::Fig4 => {
            "The paper's figure 4 shows CIFAR-10 images of the architecture found, picked at random."
        }
        Item::Fig5 => {
            "The paper's figure 5 shows STL-10 images of the architecture found on CIFAR-10."
        }
        Item::Fig6 => {
            "The second and third architecture that the search found beside the first, over their training from \
             scratch. The paper's three reach an Inception Score of 8.55, 8.42 and 8.41: the search's order holds."
        }
        Item::Fig7 => {
            "Is the reward, the score of a child on shared weights, a proxy for what its architecture comes to when it \
             is trained from scratch? The paper trains architectures for 30 epochs each and finds a Spearman \
             correlation of 0.779."
        }
        Item::Fig8 => {
            "The reward can be the Inception Score or 1 / FID. The paper finds that both scores improve with either, \
             and takes the Inception Score because it is cheaper."
        }
        Item::Fig9 => {
            "Dynamic reset stops shared training when the losses stand still and starts over from fresh weights. The \
             paper's search takes 43 hours with it and 72 without, at comparable scores."
        }
        Item::Fig10 => {
            "Multi-level search (MLAS) decides on one cell after the other, single-level search (SLAS) on all at once. \
             The paper finds that SLAS is higher at first, lower in the end, and slower."
        }
        Item::Random => {
            "The paper lets random search run for 48 hours. With shared weights it reaches an Inception Score of 8.09 \
             and an FID of 17.34, without 7.97 and 21.39; AutoGAN 8.55 and 12.42."
        }
    }
}

/// How the architecture is picked that a search is compared by.
pub(super) fn kept(scale: Scale) -> String {
    let sizes = scale.sizes();
    format!(
        "What a search found: its best {} architectures are trained from scratch for {} G iterations each, and the one \
         whose best weights have the highest score is kept, as `train --from-run` picks it. It is trained once more, with \
         another seed, and that training is the one shown here, so that no score is better for having been picked. \
         The costs of a search are without these trainings.",
        sizes.kept, sizes.long
    )
}

/// How two rewards of different scales share one weight of the entropy.
pub(super) fn entropy() -> String {
    format!(
        "The two rewards differ in scale, and with them what a weight of the entropy means. Both searches therefore have the \
         same weight in standard deviations of their own rewards within an iteration \
         (`controller.entropy_unit=\"spread\"`): {SPREAD_WEIGHT} times that of the usual search, which counts in Inception \
         Scores."
    )
}

/// Where a smaller scale differs from the paper.
pub(super) fn differences(item: Item, scale: Scale) -> String {
    let sizes = scale.sizes();
    let scored = "Networks are narrow and see few images; scores are those of small classifiers with the formulae of \
                  the Inception Score and of the Fréchet distance. They carry the classifiers' names, and their values \
                  cannot be compared with the paper's: only orders and differences can.";
    let own = match item {
        Item::Table1 | Item::Fig4 | Item::Fig6 => {
            format!("Networks are trained for {} G iterations instead of 50,000.", sizes.long)
        }
        Item::Table2 | Item::Fig5 => {
            "Without files of STL-10, what was found at 32x32 is trained on the embedded shapes at 48x48 instead."
                .to_owned()
        }
        Item::Fig3 => "The drawings are those of what this scale's searches found.".to_owned(),
        Item::Fig7 => format!(
            "{} random architectures of each search are trained for {} G iterations instead of 30 epochs, and {} that the \
             search drew, evenly over the course of its last stage. The paper takes architectures from the whole course of \
             a search; here all are scored at its end, on the same weights.",
            sizes.proxies, sizes.short, sizes.drawn
        ),
        Item::Fig8 => "The distance is taken between features of the small classifiers.".to_owned(),
        Item::Fig9 => {
            "A search this short never comes to where the preset's window of 500 losses stands still. So that the reset \
             fires, an iteration has more epochs, and window and threshold are those above. Shared weights that start \
             over have less training behind them when the end comes than they would have in the paper's 15 epochs."
                .to_owned()
        }
        Item::Fig10 => "Both searches show the discriminator the same number of images; single-level search shows all of \
                        them at the full side, and so takes longer."
            .to_owned(),
        Item::Random => "The budget is one of images, not of hours, so that results repeat; the seconds are given beside."
            .to_owned(),
    };
    let tiny = match scale {
        Scale::Tiny => "\n\n`tiny` shows that everything runs. Its numbers mean nothing.",
        Scale::Small | Scale::Full => "",
    };
    format!("{own} {scored}{tiny}")
}
