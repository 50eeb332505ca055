//! Compares what makes event streams resumable: `resumable serve KIND [DATABASE]` serves, `resumable` measures.

mod axum_sse;
mod client;
mod measure;
mod process;
mod recorded;
mod source;

use std::error::Error;

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<_> = std::env::args().skip(1).collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["serve", "ring"] => recorded::in_memory().await,
        ["serve", "sqlite", database] => recorded::in_sqlite(database).await,
        ["serve", "axum"] => axum_sse::serve().await,
        [] => measure::all().await,
        _ => Err("arguments: nothing, or `serve` with `ring`, `sqlite DATABASE` or `axum`".into()),
    }
}
