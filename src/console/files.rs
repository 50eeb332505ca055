//! The files of the page, built from `web/` by `scripts/console.sh`.

use std::sync::LazyLock;

use http::HeaderValue;
use sha2::{Digest, Sha256};

/// A file of the page.
#[derive(Debug)]
pub(super) struct File {
    /// The path below `/console/`; empty for the page itself, which is at `/`.
    name: &'static str,
    pub(super) content: &'static [u8],
    pub(super) content_type: &'static str,
    /// Changes with the content.
    pub(super) etag: HeaderValue,
}

static FILES: LazyLock<[File; 5]> = LazyLock::new(|| {
    [
        file("", include_bytes!("dist/index.html"), "text/html; charset=utf-8"),
        file("app.js", include_bytes!("dist/app.js"), "text/javascript; charset=utf-8"),
        file("app.css", include_bytes!("dist/app.css"), "text/css; charset=utf-8"),
        file("icon.svg", include_bytes!("dist/icon.svg"), "image/svg+xml"),
        file("manifest.json", include_bytes!("dist/manifest.json"), "application/manifest+json"),
    ]
});

/// Returns the page.
pub(super) fn page() -> &'static File {
    &FILES[0]
}

/// Returns the file with this path below `/console/`.
pub(super) fn find(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name && !name.is_empty())
}

fn file(name: &'static str, content: &'static [u8], content_type: &'static str) -> File {
    let digest = hex::encode(&Sha256::digest(content)[..16]);
    let etag = HeaderValue::from_str(&format!("\"{digest}\"")).expect("hexadecimal digits");
    File { name, content, content_type, etag }
}
