//! Inception's weights: which repositories hold them, and how they are fetched.

use std::path::PathBuf;

use crate::{Hub, HubError, INCEPTION_PTH, INCEPTION_SAFETENSORS, PinnedFile};

impl Hub {
    /// The Inception weights from the hub or its cache, checked by hash. Without `repo`, either of the known files will
    /// do when it is in the cache.
    ///
    /// # Errors
    /// As [`Hub::fetch`].
    pub fn inception(
        &self,
        repo: Option<&str>,
        revision: Option<&str>,
    ) -> Result<PathBuf, HubError> {
        let Some(repo) = repo else {
            for file in [&INCEPTION_PTH, &INCEPTION_SAFETENSORS] {
                if let Some(path) = self.cached(file)? {
                    return Ok(path);
                }
            }
            return self.fetch(&INCEPTION_PTH);
        };
        self.fetch(&pinned(repo, revision))
    }
}

/// The known file of a repository, or the original file where the repository is another.
fn pinned(repo: &str, revision: Option<&str>) -> PinnedFile {
    let known = [INCEPTION_PTH, INCEPTION_SAFETENSORS].into_iter().find(|f| f.repo == repo);
    let usual = known.as_ref().map_or("main".to_string(), |file| file.revision.to_string());
    known.unwrap_or(INCEPTION_PTH).at(repo.to_string(), revision.map_or(usual, str::to_string))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_choose_file_and_revision() {
        let file = pinned("nikhilr01/sen-bridge-weights", None);
        assert_eq!(file, INCEPTION_SAFETENSORS);
        let file = pinned("RaphaelLiu/EvalCrafter-Models", Some("abc"));
        assert_eq!((&*file.filename, &*file.revision), (&*INCEPTION_PTH.filename, "abc"));
        let file = pinned("me/copy", None);
        assert_eq!((&*file.sha256, &*file.revision), (&*INCEPTION_PTH.sha256, "main"));
    }
}
