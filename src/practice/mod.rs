//! A scripted Messages API on loopback: the model when there is no account.
//!
//! It stands where the Anthropic Messages API stands and lets the prompt say what the answer is, so that
//! the real `claude` CLI runs with everything it can do (tools, permissions, questions, interrupts,
//! sub-agents) and without credentials. `agent-webkit serve --practice` and the tests use it.
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
//! `steps[n]` answers the n-th request after that text: a tool call makes the CLI ask again with the
//! tool's result. After the last step the answer is `(script over)`. `token_ms` is the pause before each
//! delta in milliseconds, 0 when left out. A step is one of these, or an array of blocks:
//!
//! | step or block | gives |
//! |---|---|
//! | `"some text"` | a block of text, a delta per word |
//! | `{"text": "ab", "times": 1000}` | a block of text, a delta per repetition: long answers from short prompts |
//! | `{"think": "hm"}` | a block of thinking |
//! | `{"tool": "Bash", "input": {"command": "ls"}, "id": "toolu_1"}` | a tool call; `input` is `{}` and `id` made up when left out |
//! | `{"status": 529, "error": "overloaded_error"}` | an HTTP error (a whole step, not a block); asked again, it fails again |
//! | `{"hang": 2.5}` | a message that starts and stays silent for so many seconds, then ends empty (a whole step) |
//!
//! Three texts are replaced, so that a test sees what the model saw: `ECHO_HISTORY` by the texts of all
//! user messages, `ECHO_MODEL` by the model that was asked, `ECHO_IMAGES` by the number of images in the
//! user's messages.
//!
//! Without a script the answer is `You said: ` and the user's newest text. What the CLI itself puts into
//! user messages (reminders, notices) is not taken for the user's text. A script that cannot be read is
//! answered with what is wrong with it.
//!
//! Tokens are counted the same for every answer, so that every one has the same, small cost.

mod message;
mod script;
mod server;

pub use self::server::Model;
