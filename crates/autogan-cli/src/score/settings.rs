//! Which scores compare two sets, and their settings on the command line.

use anyhow::ensure;
use autogan_metrics::{Kernel, KernelDistanceConfig, MindConfig, MmdConfig, ResampleConfig};
use clap::ValueEnum;

/// The scores that compare two sets, beside FID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Comparisons {
    /// Kernel distance of GEN and REF
    #[arg(long)]
    pub kid: bool,
    /// Precision and recall of GEN against REF, the real images, with 3 neighbours, as torch-fidelity counts them
    #[arg(long)]
    pub prc: bool,
    /// Density and coverage of GEN against REF, with precision and recall over the same neighbours
    #[arg(long)]
    pub density: bool,
    /// Fréchet distance of the spatial features of ADM's evaluator
    #[arg(long)]
    pub sfid: bool,
    /// Squared maximum mean discrepancy with a Gaussian kernel, times 1000 as in CMMD, over the extractor's features
    #[arg(long)]
    pub mmd: bool,
    /// Monge Inception Distance: sliced distances over random projections
    #[arg(long)]
    pub mind: bool,
}

impl Comparisons {
    /// Whether any of them is asked for.
    pub fn any(self) -> bool {
        self.kid || self.prc || self.density || self.sfid || self.mmd || self.mind
    }

    /// sFID without the others.
    pub fn only_sfid(self) -> Self {
        let sfid = self.sfid;
        Self { kid: false, prc: false, density: false, sfid, mmd: false, mind: false }
    }
}

/// A kernel on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KernelName {
    /// Polynomial
    Poly,
    /// Gaussian
    Rbf,
}

/// The settings of scores and of their intervals.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Number of KID's subsets
    #[arg(long, default_value_t = 100)]
    kid_subsets: usize,
    /// Images in each of KID's subsets
    #[arg(long, default_value_t = 1000)]
    kid_subset_size: usize,
    /// KID's kernel
    #[arg(long, value_enum, default_value = "poly")]
    kid_kernel: KernelName,
    /// Exponent of KID's polynomial kernel
    #[arg(long, value_name = "N", default_value_t = 3)]
    kid_kernel_poly_degree: u32,
    /// Factor of the inner product in KID's polynomial kernel; one over the number of features without it
    #[arg(long, value_name = "X")]
    kid_kernel_poly_gamma: Option<f64>,
    /// Constant in KID's polynomial kernel
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    kid_kernel_poly_coef0: f64,
    /// Width of KID's Gaussian kernel
    #[arg(long, value_name = "X", default_value_t = 10.0)]
    kid_kernel_rbf_sigma: f64,
    /// Width of MMD's Gaussian kernel
    #[arg(long, value_name = "X", default_value_t = 10.0)]
    mmd_sigma: f64,
    /// Random projections of MIND
    #[arg(long, value_name = "N", default_value_t = 1000)]
    mind_num_projections: usize,
    /// Neighbour whose distance makes the radius for density and coverage
    #[arg(long, value_name = "K", default_value_t = 5)]
    density_neighbours: usize,
    /// Add 95 % intervals to all scores, from N random halves of the images; 200 is a good number
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=100_000))]
    bootstrap: Option<u32>,
}

impl Settings {
    /// Refuses settings that no score can have.
    pub fn check(&self) -> anyhow::Result<()> {
        let least = [
            ("--kid-subsets", self.kid_subsets, 1),
            ("--kid-subset-size", self.kid_subset_size, 2),
            ("--density-neighbours", self.density_neighbours, 1),
            ("--mind-num-projections", self.mind_num_projections, 1),
        ];
        for (option, found, least) in least {
            ensure!(found >= least, "{option}: expected at least {least}, found {found}");
        }
        self.kid(0).kernel.check()?;
        Ok(self.mmd().kernel.check()?)
    }

    /// Images in each of KID's subsets.
    pub fn subset_size(&self) -> usize {
        self.kid_subset_size
    }

    /// Whether halves of the sets are scored, too.
    pub fn halves(&self) -> bool {
        self.bootstrap.is_some()
    }

    /// KID's settings.
    pub fn kid(&self, seed: u32) -> KernelDistanceConfig {
        let kernel = match self.kid_kernel {
            KernelName::Poly => Kernel::Polynomial {
                degree: self.kid_kernel_poly_degree,
                gamma: self.kid_kernel_poly_gamma,
                coef0: self.kid_kernel_poly_coef0,
            },
            KernelName::Rbf => Kernel::Gaussian { sigma: self.kid_kernel_rbf_sigma },
        };
        let (subsets, subset_size) = (self.kid_subsets, self.kid_subset_size);
        KernelDistanceConfig { kernel, subsets, subset_size, seed }
    }

    /// MMD's settings.
    pub fn mmd(&self) -> MmdConfig {
        let kernel = Kernel::Gaussian { sigma: self.mmd_sigma };
        MmdConfig { kernel, ..MmdConfig::cmmd() }
    }

    /// MIND's settings.
    pub fn mind(&self, seed: u32) -> MindConfig {
        MindConfig { projections: self.mind_num_projections, seed: seed.into() }
    }

    /// The neighbour that makes the radius for density and coverage.
    pub fn neighbours(&self) -> usize {
        self.density_neighbours
    }

    /// The settings of intervals, where they are asked for.
    pub fn resample(&self, seed: u32) -> Option<ResampleConfig> {
        let resamples = self.bootstrap? as usize;
        Some(ResampleConfig { resamples, seed: seed.into() })
    }

    /// `100x1000`.
    pub fn subsets(&self) -> String {
        format!("{}x{}", self.kid_subsets, self.kid_subset_size)
    }

    /// KID's kernel, such as `rbf_sigma10`; none for the one that KID is known by.
    pub fn kernel(&self) -> Option<String> {
        match self.kid(0).kernel {
            kernel if kernel == Kernel::kid() => None,
            Kernel::Gaussian { sigma } => Some(format!("rbf_sigma{sigma}")),
            Kernel::Polynomial { degree, gamma, coef0 } => {
                let gamma = gamma.map_or("1_over_d".to_owned(), |gamma| gamma.to_string());
                Some(format!("poly_degree{degree}_gamma{gamma}_coef{coef0}"))
            }
        }
    }

    /// MMD's kernel, such as `rbf_sigma10_x1000`.
    pub fn mmd_protocol(&self) -> String {
        format!("rbf_sigma{}_x{}", self.mmd_sigma, self.mmd().scale)
    }

    /// The number of MIND's projections.
    pub fn projections(&self) -> usize {
        self.mind_num_projections
    }
}
