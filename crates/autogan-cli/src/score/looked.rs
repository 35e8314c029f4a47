//! [`Looked`] is an input before its images are read.

use std::rc::Rc;

use autogan_metrics::io::{ImageSource, Input, StoredStatistics};
use autogan_metrics::{GaussianStats, Matrix};

/// An input that was looked at: nothing of it is decoded yet.
pub struct Looked {
    /// The name that the user gave to it.
    pub label: String,
    pub input: Rc<Input>,
    /// Whether its spatial features are compared.
    spatial: bool,
    /// Why its statistics cannot be compared with what the extractor gives, where they cannot.
    pub unlike: Option<String>,
}

impl Looked {
    /// An input of which nothing is checked yet.
    pub fn new(label: &str, input: Rc<Input>, spatial: bool) -> Self {
        Self { label: label.to_owned(), input, spatial, unlike: None }
    }

    /// Its images, where it holds any.
    pub fn images(&self) -> Option<&ImageSource> {
        match &*self.input {
            Input::Images(images) | Input::ImagesWithStatistics(images, _) => Some(images),
            Input::Statistics(_) | Input::Features(_) => None,
        }
    }

    /// Features that another program made, where the file holds them in place of images.
    pub fn features(&self) -> Option<&Matrix> {
        match &*self.input {
            Input::Features(features) => Some(features),
            _ => None,
        }
    }

    /// Whether its spatial features are compared.
    pub fn is_spatial(&self) -> bool {
        self.spatial
    }

    /// What the file stores besides images, where it stores any.
    pub fn stored(&self) -> Option<&StoredStatistics> {
        match &*self.input {
            Input::Statistics(stored) => Some(stored),
            Input::ImagesWithStatistics(_, stored) => Some(stored),
            Input::Images(_) | Input::Features(_) => None,
        }
    }

    /// The stored statistics of the features that are compared. A file without a protocol holds those of spatial
    /// features beside the others, if it holds them at all.
    pub fn stats(&self) -> Option<&GaussianStats> {
        let stored = self.stored()?;
        match self.spatial && stored.protocol.is_none() {
            true => stored.spatial.as_ref(),
            false => Some(&stored.stats),
        }
    }

    /// What was found and what is taken of it, in a line.
    pub fn line(&self) -> String {
        let label = &self.label;
        if let Some(features) = self.features() {
            return format!("{label}: features of {} images", features.rows());
        }
        let Some(images) = self.images() else {
            return format!("{label}: mean and covariance, no images{}", self.known());
        };
        let Some(count) = images.count() else {
            return format!("{label}: images up to the end of the pipe");
        };
        let mut line = format!("{label}: {count} images");
        if !images.left_out().is_empty() {
            line.push_str(&format!("; left out: {}", images.left_out()));
        }
        let distances = match (self.stats(), self.stored().and_then(|s| s.spatial.as_ref())) {
            (None, _) => return line,
            (Some(_), _) if self.spatial => "sFID reads",
            (Some(_), Some(_)) => "FID and sFID read",
            (Some(_), None) => "FID reads",
        };
        line + &format!("; {distances} the mean and covariance beside them, all else the images")
    }

    /// What the file tells of its statistics, in brackets.
    fn known(&self) -> String {
        let Some(stored) = self.stored() else { return String::new() };
        let of = stored.stats.count.map(|count| format!("of {count} images"));
        let follows = stored.protocol.as_ref().map(|protocol| protocol.extractor.clone());
        let known: Vec<String> =
            [stored.note.data.clone(), of, follows].into_iter().flatten().collect();
        if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) }
    }
}
