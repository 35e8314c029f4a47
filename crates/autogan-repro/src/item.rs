//! An [`Item`] is a table or figure of the paper (Gong et al., *AutoGAN*, ICCV 2019) that can be made.

use std::fmt;
use std::str::FromStr;

/// A table, a figure, or an experiment of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// Scores on CIFAR-10.
    Table1,
    /// Scores on STL-10 with the architecture found on CIFAR-10.
    Table2,
    /// The architecture found.
    Fig3,
    /// Images of it on CIFAR-10.
    Fig4,
    /// Images of it on STL-10.
    Fig5,
    /// The three best architectures found.
    Fig6,
    /// The reward against training from scratch.
    Fig7,
    /// Inception Score against 1 / FID as the reward.
    Fig8,
    /// With and without dynamic reset.
    Fig9,
    /// Multi-level against single-level search.
    Fig10,
    /// Against random search, with and without shared weights (section 4.3.5).
    Random,
}

impl Item {
    /// All of them, in the paper's order.
    pub const ALL: [Item; 11] = {
        use Item::*;
        [Table1, Table2, Fig3, Fig4, Fig5, Fig6, Fig7, Fig8, Fig9, Fig10, Random]
    };

    /// The name on the command line and of the page's directory.
    pub fn name(self) -> &'static str {
        self.named().0
    }

    /// The page's title.
    pub fn title(self) -> &'static str {
        self.named().1
    }

    /// Name and title.
    fn named(self) -> (&'static str, &'static str) {
        match self {
            Item::Table1 => ("table1", "Table 1: scores on CIFAR-10"),
            Item::Table2 => ("table2", "Table 2: transfer to STL-10"),
            Item::Fig3 => ("fig3", "Figure 3: the architecture found"),
            Item::Fig4 => ("fig4", "Figure 4: images of the architecture found"),
            Item::Fig5 => ("fig5", "Figure 5: images at 48x48 after transfer"),
            Item::Fig6 => ("fig6", "Figure 6: the three best architectures found"),
            Item::Fig7 => ("fig7", "Figure 7: the reward against training from scratch"),
            Item::Fig8 => ("fig8", "Figure 8: Inception Score or 1 / FID as the reward"),
            Item::Fig9 => ("fig9", "Figure 9: with and without dynamic reset"),
            Item::Fig10 => ("fig10", "Figure 10: multi-level or single-level search"),
            Item::Random => ("random", "Section 4.3.5: random search"),
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Item {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Item::ALL.into_iter().find(|item| item.name() == text).ok_or_else(|| {
            let names = Item::ALL.map(Item::name).join(", ");
            format!("expected one of {names}, found {text:?}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for item in Item::ALL {
            assert_eq!(item.to_string().parse(), Ok(item));
        }
        assert!("fig2".parse::<Item>().unwrap_err().contains("fig10"));
    }
}
