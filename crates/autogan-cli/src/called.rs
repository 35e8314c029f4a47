//! This module knows how this program was called: `autogan` where it is installed, `cargo xtask` from the repository.

pub use autogan_report::program;

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser, error::ErrorKind};

    use crate::Cli;

    /// The commands of `cargo xtask` that the binary does not have.
    const DOOR: [&str; 7] =
        ["build", "check", "check-browser", "gpu-check", "reproducible", "sbom", "tidy"];

    #[test]
    fn the_list_for_the_front_door_is_ours() {
        let command = Cli::command();
        let width = command.get_subcommands().map(|c| c.get_name().len()).max().unwrap() + 2;
        let ours = command.get_subcommands().map(|c| {
            let about = c.get_about().map(ToString::to_string).unwrap_or_default();
            format!("{:<width$}{}", c.get_name(), about.trim_end_matches('.'))
        });
        let list = include_str!("../commands.txt");
        assert_eq!(list.lines().map(str::to_owned).collect::<Vec<_>>(), ours.collect::<Vec<_>>());
    }

    /// The command lines of a page: what follows `cargo xtask` or `autogan` in its shell blocks.
    fn command_lines(page: &str) -> Vec<Vec<String>> {
        let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        let lines = blocks.flat_map(|block| block.lines().map(str::trim));
        let lines = lines.filter_map(|line| {
            line.strip_prefix("cargo xtask ").or_else(|| line.strip_prefix("autogan "))
        });
        lines.map(words).collect()
    }

    /// The words of a line up to its comment, as a shell takes them apart; quotes are double.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        for c in line.chars() {
            match c {
                '"' => quoted = !quoted,
                ' ' if !quoted => words.push(std::mem::take(&mut word)),
                _ => word.push(c),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        let ends = |word: &String| matches!(word.as_str(), "#" | "&&" | "|" | ">" | "\\");
        let end = words.iter().position(ends).unwrap_or(words.len());
        words.truncate(end);
        words
    }

    #[test]
    fn every_command_of_the_documentation_is_one() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let docs = std::fs::read_dir(format!("{root}/docs")).unwrap();
        let pages = docs
            .map(|page| page.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "md"));
        let mut searches = 0;
        for page in pages.chain(
            ["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|p| format!("{root}/{p}").into()),
        ) {
            let text = std::fs::read_to_string(&page).unwrap();
            for line in command_lines(&text) {
                searches += usize::from(line[0] == "search");
                let versus = line[0] == "bench" && line.get(1).is_none_or(|w| w == "--vs-torch");
                if versus || DOOR.contains(&line[0].as_str()) {
                    continue;
                }
                let parsed = Cli::try_parse_from(
                    ["autogan"].into_iter().chain(line.iter().map(String::as_str)),
                );
                let shows_help = |e: &clap::Error| e.kind() == ErrorKind::DisplayHelp;
                if let Err(error) =
                    parsed.map(drop).or_else(|e| if shows_help(&e) { Ok(()) } else { Err(e) })
                {
                    panic!("{}: {line:?}: {error}", page.display());
                }
            }
        }
        assert!(searches > 1, "the README shows `cargo xtask search`");
    }

    #[test]
    fn a_command_line_ends_at_its_comment() {
        let page =
            "text\n```sh\ncargo xtask search --set \"a=[0, 1]\" # why\nls\n```\ncargo xtask no\n";
        assert_eq!(command_lines(page), [["search", "--set", "a=[0, 1]"]]);
    }
}
