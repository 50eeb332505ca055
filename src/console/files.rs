//! The files of the page, built from `web/` by `scripts/console.sh`.

use std::sync::LazyLock;

use http::HeaderValue;
use sha2::{Digest, Sha256};

/// The page's service worker.
const WORKER: &str = "worker.js";

/// A file of the page.
#[derive(Debug)]
pub(super) struct File {
    /// The path below `/console/`; empty for the page itself, which is at `/`.
    name: &'static str,
    pub(super) content: &'static [u8],
    /// The content compressed by gzip, of a file that is large enough to need it.
    pub(super) gzip: Option<&'static [u8]>,
    pub(super) content_type: &'static str,
    /// Changes with the content.
    pub(super) etag: HeaderValue,
    /// That of the compressed content.
    pub(super) gzip_etag: HeaderValue,
}

static FILES: LazyLock<[File; 6]> = LazyLock::new(|| {
    [
        file("", include_bytes!("dist/index.html"), "text/html; charset=utf-8"),
        file("app.js", include_bytes!("dist/app.js"), "text/javascript; charset=utf-8")
            .compressed(include_bytes!("dist/app.js.gz")),
        file("app.css", include_bytes!("dist/app.css"), "text/css; charset=utf-8")
            .compressed(include_bytes!("dist/app.css.gz")),
        file(WORKER, include_bytes!("dist/worker.js"), "text/javascript; charset=utf-8"),
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
    let tag = |text: String| HeaderValue::from_str(&text).expect("hexadecimal digits");
    let (etag, gzip_etag) = (tag(format!("\"{digest}\"")), tag(format!("\"{digest}-gzip\"")));
    File { name, content, gzip: None, content_type, etag, gzip_etag }
}

impl File {
    /// Whether it is the service worker, whose scope is the page and not only the folder of the files.
    pub(super) fn is_worker(&self) -> bool {
        self.name == WORKER
    }

    fn compressed(self, gzip: &'static [u8]) -> Self {
        Self { gzip: Some(gzip), ..self }
    }
}
