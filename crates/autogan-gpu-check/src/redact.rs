//! [`Redaction`] removes from a text who ran the check and where: repository, home folder, user and host.

use std::path::Path;

use serde_json::Value;

/// Names that many people share and that are words besides.
const COMMON: &[&str] = &["root", "user", "ubuntu", "admin", "runner", "localhost"];

/// What is replaced, by what, and whether only as a whole word; paths before names, the longest first.
#[derive(Clone, Debug, Default)]
pub struct Redaction(Vec<(String, &'static str, bool)>);

impl Redaction {
    pub fn new(root: &Path, home: Option<&Path>, user: Option<&str>, host: Option<&str>) -> Self {
        let mut all = Vec::new();
        for (path, instead) in [(Some(root), "<repository>"), (home, "<home>")] {
            // A home of `/` is nobody's.
            for path in path.into_iter().filter(|path| path.parent().is_some()) {
                let both = [Some(path.to_owned()), path.canonicalize().ok()].into_iter().flatten();
                all.extend(both.map(|path| (path.display().to_string(), instead, false)));
            }
        }
        all.sort_by_key(|(path, ..)| std::cmp::Reverse(path.len()));
        all.dedup();
        for (name, instead) in [(user, "<user>"), (host, "<host>")] {
            let name = name.filter(|name| name.len() > 2 && !COMMON.contains(name));
            all.extend(name.map(|name| (name.to_owned(), instead, true)));
        }
        Self(all)
    }

    /// Of this machine and this person.
    pub fn here(root: &Path) -> Self {
        let of = |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok());
        let home = std::env::home_dir();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let host = host.map(|host| host.trim().to_owned());
        let host = host.or_else(|| of(&["HOSTNAME", "COMPUTERNAME"]));
        let user = of(&["USER", "LOGNAME", "USERNAME"]);
        Self::new(root, home.as_deref(), user.as_deref(), host.as_deref())
    }

    pub fn text(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (found, instead, word)| match word {
            true => replace_word(&text, found, instead),
            false => text.replace(found, instead),
        })
    }

    /// Every string in a value, but no key.
    pub fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.value(value)),
            Value::Object(map) => map.values_mut().for_each(|value| self.value(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Replaces a name where it is no part of a longer word.
fn replace_word(text: &str, name: &str, instead: &str) -> String {
    let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let (mut out, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(name) {
        let (before, from) = rest.split_at(at);
        let behind = &from[name.len()..];
        out.push_str(before);
        let part = in_word(out.chars().next_back()) || in_word(behind.chars().next());
        out.push_str(if part { name } else { instead });
        rest = behind;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redaction() -> Redaction {
        let (root, home) = (Path::new("/home/ada/src/autogan"), Path::new("/home/ada"));
        Redaction::new(root, Some(home), Some("ada"), Some("engine.example"))
    }

    #[test]
    fn paths_names_and_hosts_are_replaced() {
        let text = "error at /home/ada/src/autogan/crates/x.rs, /home/ada/.cargo, /scratch/ada/y on engine.example";
        let expected =
            "error at <repository>/crates/x.rs, <home>/.cargo, /scratch/<user>/y on <host>";
        assert_eq!(redaction().text(text), expected);
    }

    #[test]
    fn a_name_inside_of_a_word_stays() {
        assert_eq!(redaction().text("adam adagrad canada ada_1"), "adam adagrad canada ada_1");
        assert_eq!(redaction().text("ada ada"), "<user> <user>");
    }

    #[test]
    fn names_that_are_common_words_stay() {
        let root = Redaction::new(Path::new("/srv/x"), Some(Path::new("/")), Some("root"), None);
        assert_eq!(root.text("/root of /srv/x/y"), "/root of <repository>/y");
    }

    #[test]
    fn every_string_of_a_value_is_redacted() {
        let mut value = json!({"steps": [{"tail": "in /home/ada/z", "seconds": 1.0}]});
        redaction().value(&mut value);
        assert_eq!(value, json!({"steps": [{"tail": "in <home>/z", "seconds": 1.0}]}));
    }
}
