//! A scripted Messages API on loopback: the model for tests and for a server without credentials.
//!
//! [`Model`] replaces the Anthropic Messages API. The prompt holds a script of the answers, so the real
//! `claude` CLI runs with all its functions (tools, permissions, questions, interrupts, sub-agents) and
//! without credentials. `agent-webkit serve --practice` and the tests use it.
//!
//! ```
//! use agent_webkit::practice::Model;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! let model = Model::bind("127.0.0.1:0").await?;
//!
//! // What the CLI's environment needs; any API key will do.
//! let base_url = format!("ANTHROPIC_BASE_URL={}", model.url());
//! assert!(base_url.starts_with("ANTHROPIC_BASE_URL=http://127.0.0.1:"));
//!
//! model.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # The script
//!
//! A script is a JSON object between `<<` and `>>`, anywhere in the user's newest text:
//!
//! ```text
//! Make a note, please. <<{"token_ms": 20, "steps": [
//!     [{"think": "A file will do."}, "I write it down.", {"tool": "Write", "input": {"file_path": "note.txt", "content": "hi"}}],
//!     "Done."
//! ]}>>
//! ```
//!
//! `steps[n]`, counted from 0, answers the request that follows n answers after that text: after a tool call
//! the CLI sends another request with the tool's result. After the last step the answer is `(script over)`.
//! `token_ms` is the pause before each delta in milliseconds, 0 by default. A step is one of these, or an
//! array of blocks:
//!
//! | step or block | result |
//! |---|---|
//! | `"some text"` | a block of text, a delta per word |
//! | `{"text": "ab", "times": 1000}` | a block of text, a delta per repetition: long answers from short prompts |
//! | `{"think": "hm"}` | a block of thinking |
//! | `{"tool": "Bash", "input": {"command": "ls"}, "id": "toolu_1"}` | a tool call; `input` defaults to `{}`, `id` to a new id |
//! | `{"status": 529, "error": "overloaded_error"}` | an HTTP error, also on retries (a whole step, not a block) |
//! | `{"hang": 2.5}` | an empty message that ends after that many seconds (a whole step) |
//!
//! Some texts are replaced, so that a test sees what the model received: `ECHO_HISTORY` by the texts of all
//! user messages, `ECHO_SYSTEM` by the system prompt, `ECHO_TOOLS` by the names of the tools, `ECHO_MODEL` by the
//! requested model, `ECHO_IMAGES` by the number of images in the user messages.
//!
//! Without a script the answer is `You said: ` and the user's newest text. Text that the CLI itself adds to
//! user messages (reminders, notices) is ignored. If a script cannot be parsed, the answer is the error.
//!
//! Every answer reports the same number of tokens and so has the same, small cost.

mod message;
mod script;
mod server;

pub use self::server::Model;
