//! This module embeds the dashboard's page and the files that it loads.

use crate::arch::ARCH_CSS;

/// A file of the page.
pub struct Asset {
    /// Its name under `/assets/`.
    pub name: &'static str,
    /// Its content type.
    pub kind: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// The page itself.
pub const PAGE: &str = include_str!("../../assets/dashboard/index.html");

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! assets {
    ($($kind:ident $name:literal = $text:expr;)*) => {
        &[$(Asset { name: $name, kind: $kind, text: $text }),*]
    };
}

macro_rules! ours {
    ($name:literal) => {
        include_str!(concat!("../../assets/dashboard/", $name))
    };
}

macro_rules! vendored {
    ($name:literal) => {
        include_str!(concat!("../../assets/vendor/uplot/", $name))
    };
}

/// Everything that the page loads.
pub const ASSETS: &[Asset] = assets! {
    CSS "style.css" = ours!("style.css");
    CSS "parts.css" = ours!("parts.css");
    CSS "arch.css" = ARCH_CSS;
    CSS "uPlot.min.css" = vendored!("uPlot.min.css");
    JS "uPlot.js" = vendored!("uPlot.iife.min.js");
    JS "app.js" = ours!("app.js");
    JS "api.js" = ours!("api.js");
    JS "dom.js" = ours!("dom.js");
    JS "charts.js" = ours!("charts.js");
    JS "runs.js" = ours!("runs.js");
    JS "run.js" = ours!("run.js");
    JS "curves.js" = ours!("curves.js");
    JS "policy.js" = ours!("policy.js");
    JS "samples.js" = ours!("samples.js");
    JS "trials.js" = ours!("trials.js");
    JS "table.js" = ours!("table.js");
    JS "parallel.js" = ours!("parallel.js");
    JS "compare.js" = ours!("compare.js");
    JS "inspect.js" = ours!("inspect.js");
    SVG "icon.svg" = ours!("icon.svg");
};

/// The asset of that name.
pub fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_page_names_is_there_and_nothing_is_inline() {
        let named: Vec<&str> =
            PAGE.split("/assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() >= 5, "{named:?}");
        for name in named {
            assert!(find(name).is_some(), "{name}");
        }
        assert!(!PAGE.contains("<style") && !PAGE.contains("style=") && !PAGE.contains(" on"));
        assert_eq!(PAGE.matches("<script").count(), PAGE.matches("<script src=").count());
    }

    #[test]
    fn every_import_is_an_asset_and_no_script_names_another_host() {
        for asset in ASSETS.iter().filter(|asset| asset.kind == JS && asset.name != "uPlot.js") {
            for rest in asset.text.split("from \"./").skip(1) {
                let name = rest.split('"').next().unwrap_or_default();
                assert!(find(name).is_some(), "{} imports {name}", asset.name);
            }
            let text = asset.text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("http://") && !text.contains("https://"), "{}", asset.name);
        }
    }
}
