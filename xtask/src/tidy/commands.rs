//! One list of subcommands: what the binary has, the front door passes on, and what the README
//! shows, the front door has.

use std::path::Path;

use anyhow::Result;
use clap::{CommandFactory, Subcommand};

use super::read;
use crate::{Autogan, Cli};

/// Where the binary declares its subcommands; it cannot be linked here.
const BINARY: &str = "crates/autogan-cli/src/main.rs";

/// The breaches in README, front door and binary.
pub fn check(root: &Path) -> Result<Vec<String>> {
    let mut breaches = check_binary(&read(&root.join(BINARY))?);
    let readme = root.join("README.md");
    if readme.is_file() {
        breaches.extend(check_readme(&read(&readme)?));
    } else {
        breaches.push("README.md is missing".to_owned());
    }
    Ok(breaches)
}

/// The breaches between the binary's source and the front door.
fn check_binary(source: &str) -> Vec<String> {
    let door = Autogan::augment_subcommands(clap::Command::new("autogan"));
    let door: Vec<&str> = door.get_subcommands().map(clap::Command::get_name).collect();
    let binary: Vec<String> = source
        .lines()
        .skip_while(|line| !line.contains("enum Command {"))
        .skip(1)
        .take_while(|line| !line.starts_with('}'))
        .filter_map(variant)
        .collect();
    let missing = binary
        .iter()
        .filter(|name| !door.contains(&name.as_str()))
        .map(|name| format!("{BINARY}: `autogan {name}` has no line in xtask/src/main.rs"));
    let extra = door
        .iter()
        .filter(|name| !binary.iter().any(|other| other == *name))
        .map(|name| format!("xtask/src/main.rs: the binary has no `autogan {name}`"));
    missing.chain(extra).collect()
}

/// `    TrainScorer(train_scorer::Args),` as `train-scorer`.
fn variant(line: &str) -> Option<String> {
    let line = line.trim_start();
    if !line.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let mut name = String::new();
    for c in line.chars().take_while(char::is_ascii_alphanumeric) {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(c.to_ascii_lowercase());
    }
    Some(name)
}

/// The breaches in the README's text.
fn check_readme(text: &str) -> Vec<String> {
    let cli = Cli::command();
    let known: Vec<&str> = cli.get_subcommands().map(clap::Command::get_name).collect();
    let mut breaches = Vec::new();
    let mut shown = Vec::new();
    for (at, line) in text.lines().enumerate() {
        for subcommand in subcommands(line) {
            if !known.contains(&subcommand) {
                let place = format!("README.md:{}", at + 1);
                breaches.push(format!("{place}: there is no `cargo xtask {subcommand}`"));
            }
            shown.push(subcommand);
        }
    }
    if !shown.contains(&"search") {
        breaches.push("README.md does not show `cargo xtask search`".to_owned());
    }
    breaches
}

/// The words after each `cargo xtask` of a line, or after the features that come before the word.
fn subcommands(line: &str) -> impl Iterator<Item = &str> {
    line.split("cargo xtask ").skip(1).filter_map(|rest| {
        let rest = rest.strip_prefix("--features cuda ").unwrap_or(rest);
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-').unwrap_or(rest.len());
        (end > 0).then(|| &rest[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The source of a binary that has what the front door has.
    fn source() -> String {
        let door = Autogan::augment_subcommands(clap::Command::new("autogan"));
        let variants = door.get_subcommands().map(|command| {
            let words = command.get_name().split('-');
            let name: String =
                words.map(|word| word[..1].to_ascii_uppercase() + &word[1..]).collect();
            format!("    /// Doc.\n    {name}(module::Args),\n")
        });
        let variants: String = variants.collect();
        format!("enum Command {{\n{variants}}}\nenum Other {{\n    Dance,\n}}\n")
    }

    #[test]
    fn the_front_door_has_what_the_binary_has() {
        assert!(source().contains("    TrainScorer("));
        assert_eq!(check_binary(&source()), Vec::<String>::new());
    }

    #[test]
    fn a_difference_in_either_direction_is_a_breach() {
        let more = source().replace("    Sample(", "    NewThing(new::Args),\n    Sample(");
        assert_eq!(
            check_binary(&more),
            [format!("{BINARY}: `autogan new-thing` has no line in xtask/src/main.rs")]
        );
        let fewer = source().replace("    Sample(module::Args),\n", "");
        assert_eq!(check_binary(&fewer), ["xtask/src/main.rs: the binary has no `autogan sample`"]);
        assert!(!check_binary("fn main() {}").is_empty());
    }

    #[test]
    fn existing_commands_are_fine() {
        let text = "`cargo xtask search` and\n    cargo xtask --features cuda arch show a\n";
        assert_eq!(check_readme(text), Vec::<String>::new());
    }

    #[test]
    fn a_command_that_does_not_exist_is_a_breach() {
        let text = "cargo xtask search; cargo xtask dance --fast\n";
        assert_eq!(check_readme(text), ["README.md:1: there is no `cargo xtask dance`"]);
    }

    #[test]
    fn a_readme_without_the_search_is_a_breach() {
        assert_eq!(check_readme("nothing").len(), 1);
    }
}
