use std::{error::Error, io::Read, path::PathBuf, pin::Pin, sync::Arc};

use bytes::Bytes;

/// Maximum length of a key set document, in bytes. A longer one is refused.
pub(super) const LONGEST_DOCUMENT: usize = 1 << 20;

/// Why a source could not return its document. The error is logged and not sent to clients.
pub type SourceError = Box<dyn Error + Send + Sync>;

/// The source of a JSON Web Key Set.
///
/// A closure is a source; use one to request a URL with the host's HTTP client. The caller limits the time of a
/// request, the source itself has to limit the size of the document.
///
/// ```
/// use agent_webkit_layers::auth::jwt::Keys;
/// use bytes::Bytes;
/// # async fn get(url: &str) -> Result<Bytes, std::io::Error> { Ok(Bytes::new()) }
///
/// let keys = Keys::jwks(|| async { Ok(get("https://id.example.com/keys.json").await?) });
/// # let _ = keys;
/// ```
pub trait JwksSource: Send + Sync + 'static {
    /// Reads the current document.
    fn fetch(&self) -> impl Future<Output = Result<Bytes, SourceError>> + Send;
}

impl<F, Fut> JwksSource for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Bytes, SourceError>> + Send,
{
    fn fetch(&self) -> impl Future<Output = Result<Bytes, SourceError>> + Send {
        self()
    }
}

/// A JSON Web Key Set in a file, which may be replaced at any time.
#[derive(Clone, Debug)]
pub struct JwksFile {
    path: Arc<PathBuf>,
}

impl JwksFile {
    /// The file at this path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: Arc::new(path.into()) }
    }
}

impl JwksSource for JwksFile {
    async fn fetch(&self) -> Result<Bytes, SourceError> {
        let path = Arc::clone(&self.path);
        let read = tokio::task::spawn_blocking(move || {
            let mut document = Vec::new();
            let file = std::fs::File::open(&*path)?;
            file.take(LONGEST_DOCUMENT as u64 + 1).read_to_end(&mut document).map(|_| document)
        });
        Ok(read.await??.into())
    }
}

pub(super) trait ErasedSource: Send + Sync {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<Bytes, SourceError>> + Send + '_>>;
}

impl<S: JwksSource> ErasedSource for S {
    fn fetch(&self) -> Pin<Box<dyn Future<Output = Result<Bytes, SourceError>> + Send + '_>> {
        Box::pin(JwksSource::fetch(self))
    }
}
