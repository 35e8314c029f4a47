//! This module reads the environment variables of `huggingface_hub` as that library reads them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::Hub;

/// The hub that the variables describe; `offline` adds to what they say.
pub(crate) fn hub(offline: bool, variable: impl Fn(&str) -> Option<OsString>) -> Hub {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let text = |name: &str| Some(set(name)?.to_string_lossy().trim().to_string());
    let yes = |name: &str| text(name).is_some_and(|value| is_yes(&value));
    let caches = user_cache(&variable).unwrap_or_else(|| PathBuf::from(".cache"));
    let home = set("HF_HOME").map_or_else(|| caches.join("huggingface"), PathBuf::from);
    let stored = || {
        let path = set("HF_TOKEN_PATH").map_or_else(|| home.join("token"), PathBuf::from);
        std::fs::read_to_string(path).ok().map(|token| token.trim().to_string())
    };
    let token = text("HF_TOKEN")
        .or_else(|| if yes("HF_HUB_DISABLE_IMPLICIT_TOKEN") { None } else { stored() });
    Hub {
        offline: offline || yes("HF_HUB_OFFLINE"),
        endpoint: text("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into()),
        token: token.filter(|token| !token.is_empty()),
        cache: set("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from),
        records: caches.join("autogan/hub-files.tsv"),
        stall: Duration::from_secs(60),
        progress: None,
    }
}

/// The user's folder for files that can be made again.
pub(crate) fn user_cache(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let path = |name: &str| variable(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let home = || path("HOME").or_else(|| path("USERPROFILE"));
    path("XDG_CACHE_HOME").or_else(|| Some(home()?.join(".cache")))
}

fn is_yes(value: &str) -> bool {
    ["1", "on", "yes", "true"].contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(variables: &[(&str, &str)]) -> Hub {
        let find = |name: &str| variables.iter().find(|(n, _)| *n == name);
        hub(false, |name| find(name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_cache_lies_where_python_puts_it() {
        let all = [("HF_HUB_CACHE", "a"), ("HF_HOME", "b"), ("XDG_CACHE_HOME", "c"), ("HOME", "d")];
        assert_eq!(read(&all).cache, Path::new("a"));
        assert_eq!(read(&all[1..]).cache, Path::new("b/hub"));
        assert_eq!(read(&all[2..]).cache, Path::new("c/huggingface/hub"));
        assert_eq!(read(&all[3..]).cache, Path::new("d/.cache/huggingface/hub"));
        // Whoever empties the cache keeps the records.
        assert_eq!(read(&all).records, Path::new("c/autogan/hub-files.tsv"));
        assert_eq!(read(&all[3..]).records, Path::new("d/.cache/autogan/hub-files.tsv"));
        assert_eq!(read(&[("HF_HUB_CACHE", ""), ("HF_HOME", "b")]).cache, Path::new("b/hub"));
    }

    #[test]
    fn offline_is_read_as_python_reads_it() {
        for value in ["1", "ON", "yes", "True"] {
            assert!(read(&[("HF_HUB_OFFLINE", value)]).offline, "{value}");
        }
        for value in ["0", "", "off", "2"] {
            assert!(!read(&[("HF_HUB_OFFLINE", value)]).offline, "{value:?}");
        }
        assert!(!read(&[]).offline && hub(true, |_| None).offline);
    }

    #[test]
    fn the_endpoint_is_the_hub_or_a_mirror() {
        assert_eq!(read(&[("HF_ENDPOINT", "")]).endpoint, "https://huggingface.co");
        assert_eq!(read(&[("HF_ENDPOINT", "http://mirror")]).endpoint, "http://mirror");
    }

    #[test]
    fn the_token_is_the_variable_or_lies_in_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        let other = dir.path().join("other");
        let at = ("HF_TOKEN_PATH", other.to_str().unwrap());
        assert_eq!(read(&[("HF_HOME", home)]).token, None);
        std::fs::write(dir.path().join("token"), "stored\n").unwrap();
        std::fs::write(&other, "elsewhere").unwrap();
        assert_eq!(read(&[("HF_HOME", home)]).token.as_deref(), Some("stored"));
        assert_eq!(read(&[("HF_HOME", home), at]).token.as_deref(), Some("elsewhere"));
        let hidden = [("HF_HOME", home), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")];
        assert_eq!(read(&hidden).token, None);
        assert_eq!(read(&[("HF_TOKEN", "mine"), hidden[0]]).token.as_deref(), Some("mine"));
        assert!(!format!("{:?}", read(&[("HF_TOKEN", "mine")])).contains("mine"));
    }
}
