//! Prints the reference of every key: `cargo run -p autogan-config --example reference > docs/configuration.md`.

#![allow(clippy::print_stdout)]

fn main() -> autogan_config::Result<()> {
    print!("{}", autogan_config::reference()?);
    Ok(())
}
