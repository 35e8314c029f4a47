//! This module writes the commands that a page shows: how they begin, and words in quotes where a shell needs them.

/// What a command line that is told to a person begins with: `autogan` where the program is installed, `cargo xtask`
/// from the repository.
pub fn program() -> String {
    std::env::var("AUTOGAN_CALLED_AS").unwrap_or_else(|_| "autogan".to_owned())
}

/// The word, in quotes where the shell would split or expand it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:=,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("runs/00001-quick-s0"), "runs/00001-quick-s0");
        assert_eq!(quoted("my runs"), "'my runs'");
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(quoted(""), "''");
    }
}
