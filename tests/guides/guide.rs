//! The guides as markdown: their sections and code blocks.

use std::{fs, path::Path};

/// A markdown file.
#[derive(Debug)]
pub(crate) struct Guide {
    /// Its path, relative to the package.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A fenced code block.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    /// The text after the opening fence.
    pub(crate) info: &'a str,
    pub(crate) body: String,
    /// The nearest heading above it, of the second or a lower level.
    pub(crate) section: &'a str,
    pub(crate) heading: &'a str,
}

impl Guide {
    pub(crate) fn read(path: &str) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text }
    }

    /// The guides in `docs`.
    pub(crate) fn all() -> Vec<Self> {
        let files = fs::read_dir(root().join("docs")).unwrap();
        let mut names: Vec<String> = files
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"))
            .collect();
        names.sort();
        names.iter().map(|name| Self::read(&format!("docs/{name}"))).collect()
    }

    pub(crate) fn blocks(&self) -> Vec<Block<'_>> {
        let (mut section, mut heading) = ("", "");
        let mut blocks = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if let Some(title) = line.strip_prefix("## ") {
                (section, heading) = (title, title);
            } else if let Some(title) = line.strip_prefix("### ") {
                heading = title;
            } else if let Some(info) = line.strip_prefix("```") {
                let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
                blocks.push(Block { info, body: body.join("\n"), section, heading });
            }
        }
        blocks
    }
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
