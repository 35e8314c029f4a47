//! A [`Page`] is HTML under construction: sections under a head, everything inline.

use std::fmt::{Display, Write};

use crate::arch::ARCH_CSS;
use crate::svg::escape;

const CSS: &str = include_str!("report.css");

/// Nothing but what is in the file is ever loaded, and nothing runs.
const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/// A page under construction. It is written as XML, so that it can be checked as such.
#[derive(Default)]
pub(super) struct Page {
    body: String,
    sections: usize,
}

impl Page {
    /// Markup as it is; text in it must be escaped.
    pub fn raw(&mut self, markup: impl Display) {
        // Writing to a string does not fail.
        let _ = write!(self.body, "{markup}");
    }

    /// Ends the section before and starts a new one.
    pub fn section(&mut self, title: &str) {
        if self.sections > 0 {
            self.raw("</section>\n");
        }
        self.sections += 1;
        let number = self.sections;
        self.raw(format_args!(
            "<section><h2><span class=\"number\">{number}</span>{}</h2>\n",
            escape(title)
        ));
    }

    /// A paragraph of plain text.
    pub fn text(&mut self, text: &str) {
        self.raw(format_args!("<p>{}</p>\n", escape(text)));
    }

    /// A paragraph of plain text in small print.
    pub fn note(&mut self, text: &str) {
        self.raw(format_args!("<p class=\"note\">{}</p>\n", escape(text)));
    }

    /// What the marks of a chart mean: the class of each mark, and its name.
    pub fn legend<S: AsRef<str>>(
        &mut self,
        class: &str,
        entries: impl IntoIterator<Item = (S, S)>,
    ) {
        self.raw(format_args!("<p class=\"{class}\">"));
        for (mark, name) in entries {
            let (mark, name) = (mark.as_ref(), escape(name.as_ref()));
            self.raw(format_args!("<span><i class=\"{mark}\"></i>{name}</span>"));
        }
        self.raw("</p>");
    }

    /// A chart in two forms, of which the page shows one by its width.
    pub fn wide_and_narrow(&mut self, wide: &str, narrow: &str) {
        self.raw(format_args!("<figure class=\"only-wide\">{wide}</figure>\n"));
        self.raw(format_args!("<figure class=\"only-narrow\">{narrow}</figure>\n"));
    }

    /// A table: the first column is text, the others are numbers.
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        self.raw("<div class=\"scroll\"><table><thead><tr>");
        for cell in head {
            self.raw(format_args!("<th scope=\"col\">{}</th>", escape(cell)));
        }
        self.raw("</tr></thead><tbody>");
        for row in rows {
            self.raw("<tr>");
            for cell in row {
                self.raw(format_args!("<td>{}</td>", escape(cell)));
            }
            self.raw("</tr>");
        }
        self.raw("</tbody></table></div>\n");
    }

    /// The whole document.
    pub fn finish(mut self, title: &str) -> String {
        if self.sections > 0 {
            self.raw("</section>\n");
        }
        let (title, body) = (escape(title), self.body);
        format!(
            "<!DOCTYPE html>\n\
             <html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n\
             <meta charset=\"utf-8\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n\
             <title>{title}</title>\n<style>\n{CSS}{ARCH_CSS}</style>\n</head>\n\
             <body>\n<main>\n{body}</main>\n</body>\n</html>\n"
        )
    }
}
