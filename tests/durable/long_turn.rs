//! A turn that is long enough for a fault in the middle of it.

use crate::{
    reader::Reader,
    support::{Script, Server},
};

/// Begins a turn of this many words, 10 ms each, in a conversation that has a word to remember.
pub(crate) async fn begin(server: &Server, words: usize) -> Reader {
    let mut reader = Reader::create(server.client()).await;
    reader.say("word", "The word is heliotrope.").await;
    reader.until("result").await;
    reader.say("slow", Script::slow(words, 10).to_string()).await;
    reader.until("message_delta").await;
    reader
}

/// Checks that the turn ends as usual, over the same connection, and that nothing is lost.
pub(crate) async fn ends(mut reader: Reader, words: usize) {
    let result = reader.until("result").await;
    assert_eq!((&result["subtype"], &result["is_error"]), (&"success".into(), &false.into()), "{result:?}");
    let deltas = reader.shown.iter().filter(|frame| frame.event == "message_delta");
    let said: String = deltas.filter_map(|frame| frame["delta"]["text"].as_str()).collect();
    assert!(said.ends_with(&(0..words).map(|n| format!("w{n}")).collect::<Vec<_>>().join(" ")), "{said}");
    assert_eq!(reader.connections, 1, "its stream paused and did not break");
    assert!(reader.history("history").await.contains("heliotrope"));
    reader.replays().await;
}
