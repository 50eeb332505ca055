use crate::support::*;

#[tokio::test]
async fn t() {
    let server = Server::start().await;
    let mut session = server.session().await;
    session.say(Script::text("Hello.")).await;
    let result = session.until("result").await;
    assert_eq!(result["subtype"], "success");
    session.close().await;
}
